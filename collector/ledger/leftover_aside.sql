-- One row per line that was set aside, where all others were taken in.
SELECT b.file_id, b.line_no, b.line
FROM line_batch AS b
SEMI JOIN set_aside AS a ON a.file_id = b.file_id AND a.line_no = b.line_no
