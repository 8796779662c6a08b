-- One row per waiting line whose key had been read before, and whether it says the same.
CREATE OR REPLACE TEMP TABLE repeated AS
WITH
told AS (
    SELECT
        rowid AS row_no, true AS is_fresh, call_id, event, CASE WHEN event = 'whole' THEN ended_at_us END AS instant_us,
        file_id, line_no, call_content(c) AS content
    FROM staged_client_call AS c
    WHERE fate IS NULL
    UNION ALL
    SELECT NULL, false, call_id, event, instant_us, file_id, line_no, content FROM earlier
),
ranked AS (
    SELECT
        *,
        row_number() OVER same_key AS reading_no,
        first_value(content) OVER same_key AS first_content
    FROM told
    WINDOW same_key AS (PARTITION BY call_id, event, instant_us ORDER BY is_fresh, file_id, line_no)
)
SELECT row_no, file_id, line_no, call_id || ' ' || event AS key, content <> first_content AS differs
FROM ranked
WHERE is_fresh AND reading_no > 1
