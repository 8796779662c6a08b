-- One row per waiting line that was not taken in.
SELECT b.file_id, b.line_no, b.line
FROM line_batch AS b
ANTI JOIN (SELECT file_id, line_no FROM client_call WHERE batch_id = $batch_id) AS t
    ON t.file_id = b.file_id AND t.line_no = b.line_no
