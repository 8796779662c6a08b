-- One row: since when some wait has been going on, to be bound as a constant.
SELECT min(started_at_us) AS open_from_us FROM job_wait WHERE ended_at_us IS NULL
