-- One row per line that has to be looked at.
SELECT b.file_id, b.line_no, b.line
FROM line_batch AS b
SEMI JOIN repeating_line AS r ON r.file_id = b.file_id AND r.line_no = b.line_no
