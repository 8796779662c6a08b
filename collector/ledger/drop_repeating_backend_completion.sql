-- One row per record just read in that has to be looked at.
DELETE FROM backend_completion
WHERE batch_id = $batch_id AND (file_id, line_no) IN (SELECT (file_id, line_no) FROM repeating_line)
