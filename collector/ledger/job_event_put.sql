-- One row per waiting line that tells a new event of a job.
INSERT INTO job_event BY NAME
SELECT * EXCLUDE (fate, is_fresh, content, reading_no, differs)
FROM staged_job_event
WHERE is_fresh AND fate IS NULL AND reading_no = 1
ORDER BY at_us, event_key
