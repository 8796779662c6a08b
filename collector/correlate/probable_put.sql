-- One row per lone suspect and its chosen completion, where the pair is likely enough.
INSERT INTO chosen_match BY NAME
SELECT
    suspect_no, provider, account, completion_id, finished_at_us, received_at_us, 'probable' AS evidence, probability,
    attempt_no, money_row, delivered_outside, NULL::BIGINT AS bytes_total
FROM claim_drawn
WHERE chosen AND is_abort
ORDER BY finished_at_us, suspect_no
