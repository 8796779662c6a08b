-- One row per record of this stretch of time that has the call of a waiting line.
INSERT INTO earlier
WITH
waiting AS (
    SELECT call_id
    FROM staged_client_call
    WHERE fate IS NULL
        AND call_key(call_id, event, ended_at_us) IN (SELECT key FROM repeated_key WHERE is_known)
),
met AS (
    SELECT rowid AS row_no
    FROM client_call
    WHERE source = $source AND at_us BETWEEN $from_us AND $to_us AND call_id IN (SELECT call_id FROM waiting)
)
SELECT
    c.call_id, c.event, CASE WHEN c.event = 'whole' THEN c.ended_at_us END, c.file_id, c.line_no,
    call_content(c) AS content
FROM client_call AS c
SEMI JOIN met AS m ON m.row_no = c.rowid
-- said again, because the engine skips what lies outside only where it reads the columns
WHERE c.source = $source AND c.at_us BETWEEN $from_us AND $to_us
