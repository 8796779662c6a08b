-- One row per record of this stretch of time that has the completion, or the entry, of a waiting line.
INSERT INTO earlier
WITH
waiting AS (
    SELECT completion_id, insert_id
    FROM staged_backend_completion
    WHERE fate IS NULL AND (
        completion_key(account, completion_id) IN (SELECT key FROM repeated_key WHERE is_known)
        OR entry_key(log_name, insert_id, finished_at_us) IN (SELECT key FROM repeated_key WHERE is_known)
    )
),
met AS (
    SELECT rowid AS row_no
    FROM backend_completion
    WHERE provider = $provider AND finished_at_us BETWEEN $from_us AND $to_us
        AND (completion_id IN (SELECT completion_id FROM waiting) OR insert_id IN (SELECT insert_id FROM waiting))
)
SELECT
    coalesce(c.account, ''), c.completion_id, c.log_name, c.insert_id, c.finished_at_us, c.file_id, c.line_no,
    completion_content(c) AS content
FROM backend_completion AS c
SEMI JOIN met AS m ON m.row_no = c.rowid
-- said again, because the engine skips what lies outside only where it reads the columns
WHERE c.provider = $provider AND c.finished_at_us BETWEEN $from_us AND $to_us
