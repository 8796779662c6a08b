-- One row per waiting line that says something else of an event that had been read before.
INSERT INTO problem
SELECT
    $source, 'conflicting record', f.path || ':' || e.line_no,
    'the same key with other content than the first reading, which stands: ' || e.event_key, $now_us, e.event_key,
    $run_id
FROM staged_job_event AS e
JOIN staged_path AS f ON f.file_id = e.file_id
WHERE e.is_fresh AND e.fate IS NULL AND e.reading_no > 1 AND e.differs
ORDER BY e.file_id, e.line_no
