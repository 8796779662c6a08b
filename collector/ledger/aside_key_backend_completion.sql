-- One row per record that was set aside, after those just read in: what it, and its entry, are known again by, and when it was.
INSERT INTO fresh_key
SELECT
    file_id, line_no, completion_key(account, completion_id) AS key,
    entry_key(log_name, insert_id, finished_at_us) AS entry_key, finished_at_us AS at_us
FROM parsed
WHERE fate IS NULL
