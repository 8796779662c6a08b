-- One row per line that tells of a job, the earliest first.
SELECT e.*, f.cursor
FROM job_event AS e
LEFT JOIN source_file AS f ON f.file_id = e.file_id AND f.source = e.source
WHERE e.job_key = $job_key
ORDER BY e.at_us, e.logged_at_us, e.event_key
