-- One row per lone suspect and completion that it may be, the five likeliest.
INSERT INTO rival
SELECT
    suspect_no, provider, account, completion_id, finished_at_us, chosen, probability, weight, start_term, end_term,
    size_term, kind_term
FROM claim_drawn
WHERE probability >= 0.001
QUALIFY row_number() OVER (
    PARTITION BY suspect_no ORDER BY probability DESC, hour_at_us, finished_at_us, completion_id
) <= 5
ORDER BY suspect_no, probability DESC
