-- One row per record just read in that has to be looked at.
DELETE FROM client_call
WHERE batch_id = $batch_id AND (file_id, line_no) IN (SELECT (file_id, line_no) FROM repeating_line)
