-- One row per call that the changed chains give to more than one superseded attempt.
SELECT source, next_call_id, next_started_at_us, count(*) AS attempts
FROM retry_changed
WHERE NOT retracted
GROUP BY source, next_call_id, next_started_at_us
HAVING count(*) > 1
