-- One row per waiting line that repeats none.
SELECT b.file_id, b.line_no, b.line
FROM line_batch AS b
ANTI JOIN repeating_line AS r ON r.file_id = b.file_id AND r.line_no = b.line_no
