-- One row per line of the staged lines whose key had been read before, and whether it says the same.
CREATE OR REPLACE TEMP TABLE repeated AS
WITH
fresh AS (
    SELECT rowid AS row_no, call_id, event, CASE WHEN event = 'whole' THEN ended_at_us END AS instant_us
    FROM staged_client_call
    WHERE fate IS NULL
),
earlier AS (
    SELECT rowid AS row_no, call_id, event, CASE WHEN event = 'whole' THEN ended_at_us END AS instant_us
    FROM client_call
    WHERE source = $source AND at_us BETWEEN $from_us AND $to_us
        AND call_id IN (SELECT call_id FROM fresh)
),
twice AS (
    SELECT call_id, event, instant_us FROM fresh GROUP BY ALL HAVING count(*) > 1
    UNION
    SELECT e.call_id, e.event, e.instant_us
    FROM earlier AS e
    SEMI JOIN fresh AS f
        ON f.call_id = e.call_id AND f.event = e.event AND f.instant_us IS NOT DISTINCT FROM e.instant_us
),
suspected AS (
    SELECT c.row_no, c.is_fresh, t.call_id, t.event, t.instant_us
    FROM (SELECT *, true AS is_fresh FROM fresh UNION ALL SELECT *, false AS is_fresh FROM earlier) AS c
    JOIN twice AS t
        ON t.call_id = c.call_id AND t.event = c.event AND t.instant_us IS NOT DISTINCT FROM c.instant_us
),
told AS (
    SELECT
        s.*, c.file_id, c.line_no,
        hash(c.at_us, c.started_at_us, c.service, c.provider, c.account, c.model, c.operation, c.stream,
            c.request_id, c.received_request_id, c.trace_id, c.span_id, c.response_id, c.retry_of, c.process,
            c.input_tokens, c.max_output_tokens, c.request_bytes, c.outcome, c.reason, c.status_code,
            c.bytes_received, c.output_tokens_received, c.first_byte_at_us, c.upstream_bytes) AS content
    FROM suspected AS s
    JOIN staged_client_call AS c ON c.rowid = s.row_no
    WHERE s.is_fresh
    UNION ALL
    SELECT
        s.*, c.file_id, c.line_no,
        hash(c.at_us, c.started_at_us, c.service, c.provider, c.account, c.model, c.operation, c.stream,
            c.request_id, c.received_request_id, c.trace_id, c.span_id, c.response_id, c.retry_of, c.process,
            c.input_tokens, c.max_output_tokens, c.request_bytes, c.outcome, c.reason, c.status_code,
            c.bytes_received, c.output_tokens_received, c.first_byte_at_us, c.upstream_bytes)
    FROM suspected AS s
    JOIN client_call AS c ON c.rowid = s.row_no
    WHERE NOT s.is_fresh
        -- said again, because the engine skips what lies outside only where it reads the columns
        AND c.source = $source AND c.at_us BETWEEN $from_us AND $to_us
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
