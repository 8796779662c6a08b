-- One row per waiting line whose key (of the completion, or of the entry) had been read before.
CREATE OR REPLACE TEMP TABLE repeated AS
WITH
told AS (
    SELECT
        rowid AS row_no, true AS is_fresh, coalesce(account, '') AS account, completion_id, log_name, insert_id,
        finished_at_us, file_id, line_no, completion_content(c) AS content
    FROM staged_backend_completion AS c
    WHERE fate IS NULL
    UNION ALL
    SELECT NULL, false, * FROM earlier
),
keyed AS (
    SELECT *, 'completion' AS kind, account AS place, completion_id AS name, NULL::BIGINT AS instant_us FROM told
    UNION ALL
    SELECT *, 'entry', log_name, insert_id, finished_at_us FROM told WHERE insert_id IS NOT NULL
),
ranked AS (
    SELECT
        *,
        row_number() OVER same_key AS reading_no,
        first_value(content) OVER same_key AS first_content
    FROM keyed
    WINDOW same_key AS (PARTITION BY kind, place, name, instant_us ORDER BY is_fresh, file_id, line_no)
)
SELECT
    row_no, any_value(file_id) AS file_id, any_value(line_no) AS line_no,
    min(concat_ws(' ', kind, place, name, instant_us)) AS key, bool_or(content <> first_content) AS differs
FROM ranked
WHERE is_fresh AND reading_no > 1
GROUP BY row_no
