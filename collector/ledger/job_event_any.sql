-- One row if any event of a job was ever read.
SELECT 1 FROM job_event LIMIT 1
