-- One row per line of the delivery that is neither a record nor without interest.
INSERT INTO staged_problem
SELECT
    $source, 'invalid line', $path || ':' || s.line_no, s.fate, $now_us,
    regexp_replace(left(b.line, 200), '[^[:print:]]', '?', 'g'), $run_id
FROM staged_client_call AS s
JOIN line_batch AS b ON b.line_no = s.line_no
WHERE s.fate <> 'ignored' AND s.file_id = $file_id
ORDER BY s.line_no
