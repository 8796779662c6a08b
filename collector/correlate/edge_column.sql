-- One row per edge: the numbers that a score is made of.
SELECT * EXCLUDE (provider, account, completion_id, finished_at_us)
FROM edge
ORDER BY hour_at_us, attempt_no, completion_no
