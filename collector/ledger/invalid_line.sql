-- One row per line of the batch that is neither a record nor without interest.
INSERT INTO problem
SELECT
    $source, 'invalid line', $path || ':' || p.line_no, p.fate, $now_us,
    regexp_replace(left(b.line, 200), '[^[:print:]]', '?', 'g'), $run_id
FROM parsed AS p
JOIN line_batch AS b ON b.line_no = p.line_no
WHERE p.fate IS NOT NULL AND p.fate <> 'ignored'
ORDER BY p.line_no
