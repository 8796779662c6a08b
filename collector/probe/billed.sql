-- One row per model and usage kind that the bill has in the charge periods which the probe's calls touch.
SELECT model, usage_kind, sum(usage_micro)::HUGEINT AS usage_micro
FROM billing_line
WHERE counts AND usage_known AND provider = $provider
    AND ($account::VARCHAR IS NULL OR account = $account)
    AND usage_start_us < $to_us AND usage_end_us > $from_us
GROUP BY model, usage_kind
ORDER BY model, usage_kind
