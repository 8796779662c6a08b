-- One row per line of the batch that says something else under a key that had been read before.
INSERT INTO problem
SELECT
    $source, 'conflicting record', $path || ':' || r.line_no,
    'the same key with other content than the first reading, which stands: ' || r.key, $now_us,
    regexp_replace(left(b.line, 200), '[^[:print:]]', '?', 'g'), $run_id
FROM repeated AS r
JOIN line_batch AS b ON b.line_no = r.line_no
WHERE r.differs
ORDER BY r.line_no
