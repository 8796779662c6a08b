-- One row per line of the staged lines whose key (of the completion, or of the entry) had been read before.
CREATE OR REPLACE TEMP TABLE repeated AS
WITH
fresh AS (
    SELECT rowid AS row_no, coalesce(account, '') AS account, completion_id, log_name, insert_id, finished_at_us
    FROM staged_backend_completion
    WHERE fate IS NULL
),
earlier AS (
    SELECT rowid AS row_no, coalesce(account, '') AS account, completion_id, log_name, insert_id, finished_at_us
    FROM backend_completion
    WHERE provider = $provider AND finished_at_us BETWEEN $from_us AND $to_us
        AND (completion_id IN (SELECT completion_id FROM fresh) OR insert_id IN (SELECT insert_id FROM fresh))
),
twice AS (
    SELECT account, completion_id FROM fresh GROUP BY ALL HAVING count(*) > 1
    UNION
    SELECT e.account, e.completion_id
    FROM earlier AS e
    SEMI JOIN fresh AS f ON f.completion_id = e.completion_id AND f.account = e.account
),
entry_twice AS (
    SELECT log_name, insert_id, finished_at_us
    FROM fresh
    WHERE insert_id IS NOT NULL
    GROUP BY ALL
    HAVING count(*) > 1
    UNION
    SELECT e.log_name, e.insert_id, e.finished_at_us
    FROM earlier AS e
    SEMI JOIN fresh AS f
        ON f.insert_id = e.insert_id AND f.finished_at_us = e.finished_at_us
        AND f.log_name IS NOT DISTINCT FROM e.log_name
),
both_times AS (
    SELECT *, true AS is_fresh FROM fresh UNION ALL SELECT *, false AS is_fresh FROM earlier
),
suspected AS (
    SELECT b.row_no, b.is_fresh, 'completion ' || t.account || ' ' || t.completion_id AS key
    FROM both_times AS b
    JOIN twice AS t ON t.completion_id = b.completion_id AND t.account = b.account
    UNION ALL
    SELECT b.row_no, b.is_fresh, concat_ws(' ', 'entry', t.log_name, t.insert_id, t.finished_at_us)
    FROM both_times AS b
    JOIN entry_twice AS t
        ON t.insert_id = b.insert_id AND t.finished_at_us = b.finished_at_us
        AND t.log_name IS NOT DISTINCT FROM b.log_name
),
told AS (
    SELECT
        s.*, c.file_id, c.line_no,
        hash(c.completion_id, c.account, c.request_id, c.trace_id, c.span_id, c.response_id, c.model, c.stream,
            c.status, c.received_at_us, c.first_byte_at_us, c.finished_at_us, c.input_tokens, c.cached_input_tokens, c.output_tokens,
            c.thinking_tokens, c.images, c.price_class) AS content
    FROM suspected AS s
    JOIN staged_backend_completion AS c ON c.rowid = s.row_no
    WHERE s.is_fresh
    UNION ALL
    SELECT
        s.*, c.file_id, c.line_no,
        hash(c.completion_id, c.account, c.request_id, c.trace_id, c.span_id, c.response_id, c.model, c.stream,
            c.status, c.received_at_us, c.first_byte_at_us, c.finished_at_us, c.input_tokens, c.cached_input_tokens, c.output_tokens,
            c.thinking_tokens, c.images, c.price_class)
    FROM suspected AS s
    JOIN backend_completion AS c ON c.rowid = s.row_no
    WHERE NOT s.is_fresh
        -- said again, because the engine skips what lies outside only where it reads the columns
        AND c.provider = $provider AND c.finished_at_us BETWEEN $from_us AND $to_us
),
ranked AS (
    SELECT
        *,
        row_number() OVER same_key AS reading_no,
        first_value(content) OVER same_key AS first_content
    FROM told
    WINDOW same_key AS (PARTITION BY key ORDER BY is_fresh, file_id, line_no)
)
SELECT row_no, any_value(file_id) AS file_id, any_value(line_no) AS line_no, min(key) AS key, bool_or(content <> first_content) AS differs
FROM ranked
WHERE is_fresh AND reading_no > 1
GROUP BY row_no
