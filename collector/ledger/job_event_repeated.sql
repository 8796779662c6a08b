-- One row: how many waiting lines tell an event that had been read before.
SELECT count(*) FROM staged_job_event WHERE is_fresh AND fate IS NULL AND reading_no > 1
