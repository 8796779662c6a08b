-- One row per job that has ended, as it was or as it now is: its figures have to be drawn again.
INSERT INTO match_touched
SELECT provider, account, job_id, finished_at_us
FROM (SELECT * FROM job_before UNION ALL BY NAME SELECT * FROM job_changed)
WHERE finished_at_us IS NOT NULL AND provider IS NOT NULL
EXCEPT
SELECT * FROM match_touched
