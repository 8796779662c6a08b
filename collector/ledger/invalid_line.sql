-- One row per waiting line that is neither a record nor without interest.
INSERT INTO problem
SELECT
    $source, 'invalid line', f.path || ':' || p.line_no, p.fate, $now_us,
    regexp_replace(left(b.line, 200), '[^[:print:]]', '?', 'g'), $run_id
FROM parsed AS p
JOIN line_batch AS b ON b.file_id = p.file_id AND b.line_no = p.line_no
JOIN staged_path AS f ON f.file_id = p.file_id
WHERE p.fate <> 'ignored'
ORDER BY p.file_id, p.line_no
