-- One row per observer's call that newly may have lost money: aborted, failed or vanished.
CREATE OR REPLACE TEMP TABLE new_suspect AS
WITH
bad_end AS (
    SELECT * FROM client_call
    WHERE batch_id > $from_batch AND event = 'ended' AND outcome IN ('aborted', 'failed')
    UNION ALL
    SELECT c.* FROM client_call AS c
    JOIN met_half AS m ON m.source = c.source AND m.call_id = c.call_id AND m.ended_at_us = c.at_us
    WHERE c.batch_id <= $from_batch AND c.event = 'ended' AND c.outcome IN ('aborted', 'failed')
        AND c.at_us BETWEEN $met_end_from_us AND $met_end_to_us
),
-- The started lines: those of this run, those that met their end in it, and the overdue ones.
wanted_start AS (
    SELECT source, call_id, started_at_us FROM met_half
    UNION ALL
    SELECT source, call_id, started_at_us FROM overdue_call WHERE NOT wrote_on
),
old_start AS (
    SELECT c.* FROM client_call AS c
    JOIN wanted_start AS w ON w.source = c.source AND w.call_id = c.call_id AND w.started_at_us = c.at_us
    WHERE c.batch_id <= $from_batch AND c.event = 'started'
        AND c.at_us BETWEEN $met_start_from_us AND $met_start_to_us
),
new_start AS (
    SELECT c.* FROM client_call AS c
    SEMI JOIN (
        SELECT source, call_id FROM bad_end UNION ALL SELECT source, call_id FROM overdue_call WHERE NOT wrote_on
    ) AS b ON b.call_id = c.call_id AND b.source = c.source
    WHERE c.batch_id > $from_batch AND c.event = 'started'
),
start AS (SELECT * FROM old_start UNION ALL SELECT * FROM new_start),
told AS (
    SELECT
        s.source, s.call_id, s.started_at_us, e.at_us AS ended_at_us, s.service, s.provider, s.account, s.model,
        s.operation, s.stream, s.request_id, s.received_request_id, s.trace_id, s.span_id,
        coalesce(e.response_id, s.response_id) AS response_id, s.retry_of, s.process, s.input_tokens,
        s.max_output_tokens, s.request_bytes, s.retry_count, e.outcome, e.reason, e.bytes_received, e.output_tokens_received,
        NULL::BIGINT AS first_byte_at_us, NULL::BIGINT AS upstream_bytes, s.file_id, s.line_no,
        e.file_id AS ended_file_id, e.line_no AS ended_line_no
    FROM start AS s
    JOIN bad_end AS e ON e.source = s.source AND e.call_id = s.call_id
    UNION ALL
    SELECT
        s.source, s.call_id, s.started_at_us, NULL, s.service, s.provider, s.account, s.model, s.operation,
        s.stream, s.request_id, s.received_request_id, s.trace_id, s.span_id, s.response_id, s.retry_of,
        s.process, s.input_tokens, s.max_output_tokens, s.request_bytes, s.retry_count, 'aborted', 'vanished', NULL, NULL, NULL, NULL, s.file_id, s.line_no, NULL, NULL
    FROM start AS s
    JOIN overdue_call AS o ON o.source = s.source AND o.call_id = s.call_id AND NOT o.wrote_on
    UNION ALL
    SELECT
        source, call_id, started_at_us, ended_at_us, service, provider, account, model, operation, stream,
        request_id, received_request_id, trace_id, span_id, response_id, retry_of, process, input_tokens,
        max_output_tokens, request_bytes, retry_count, outcome, reason, bytes_received, output_tokens_received, first_byte_at_us, upstream_bytes, file_id,
        line_no, file_id, line_no
    FROM client_call
    WHERE batch_id > $from_batch AND event = 'whole' AND outcome IN ('aborted', 'failed')
)
SELECT
    -- a call that had been taken as vanished keeps its number, so that nothing is counted twice
    coalesce(m.suspect_no, $suspect_no + row_number() OVER (ORDER BY t.started_at_us, t.call_id, t.source, t.ended_at_us))
        AS suspect_no,
    o.hop, t.*
FROM told AS t
JOIN observer AS o ON o.source = t.source
LEFT JOIN met_half AS m ON m.source = t.source AND m.call_id = t.call_id AND m.suspect_no IS NOT NULL
