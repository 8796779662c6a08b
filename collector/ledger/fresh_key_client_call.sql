-- One row per record just read in: what it is known again by, and when it was.
CREATE OR REPLACE TEMP TABLE fresh_key AS
SELECT
    file_id, line_no, call_key(call_id, event, ended_at_us) AS key, NULL::UBIGINT AS entry_key, at_us
FROM client_call
WHERE batch_id = $batch_id
