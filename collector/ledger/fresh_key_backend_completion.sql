-- One row per record just read in: what it, and its entry, are known again by, and when it was.
CREATE OR REPLACE TEMP TABLE fresh_key AS
SELECT
    file_id, line_no, completion_key(account, completion_id) AS key,
    entry_key(log_name, insert_id, finished_at_us) AS entry_key, finished_at_us AS at_us
FROM backend_completion
WHERE batch_id = $batch_id
