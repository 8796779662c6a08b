-- One row: how many completions near the drawn hours tell no receipt.
SELECT count(*)
FROM backend_completion
WHERE received_at_us IS NULL AND finished_at_us >= $race_from_us - $margin_us
    AND finished_at_us < $race_to_us + $margin_us
