-- One row per new version of a job's life.
INSERT INTO job_current BY NAME
SELECT $run_id AS run_id, $now_us AS recorded_at_us, * FROM job_changed ORDER BY job_no
