-- One row per staged line that says something else under a key that had been read before.
INSERT INTO problem
SELECT
    $source, 'conflicting record', p.path || ':' || r.line_no,
    'the same key with other content than the first reading, which stands: ' || r.key, $now_us, r.key, $run_id
FROM repeated AS r
JOIN staged_path AS p ON p.file_id = r.file_id
WHERE r.differs
ORDER BY r.file_id, r.line_no
