-- One row per record that was set aside, after those just read in: what it is known again by, and when it was.
INSERT INTO fresh_key
SELECT
    file_id, line_no, call_key(call_id, event, ended_at_us) AS key, NULL::UBIGINT AS entry_key, at_us
FROM parsed
WHERE fate IS NULL
