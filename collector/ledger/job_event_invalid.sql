-- One row per waiting line that tells of a job and is wrong.
INSERT INTO problem
SELECT
    $source, 'invalid line', f.path || ':' || e.line_no, e.fate, $now_us,
    regexp_replace(left(b.line, 200), '[^[:print:]]', '?', 'g'), $run_id
FROM staged_job_event AS e
JOIN line_batch AS b ON b.file_id = e.file_id AND b.line_no = e.line_no
JOIN staged_path AS f ON f.file_id = e.file_id
WHERE e.is_fresh AND e.fate IS NOT NULL
ORDER BY e.file_id, e.line_no
