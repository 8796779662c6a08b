-- One row per observer's call that started near the receipt of a near completion: it may own it.
CREATE OR REPLACE TEMP TABLE rival_call AS
WITH
wish AS (
    SELECT provider, model, received_at_us, hour_at_us, unnest([-1, 0, 1]) + received_at_us // $reach_us AS cell
    FROM near_completion
),
recent AS (
    SELECT
        c.source, c.call_id, c.event, c.started_at_us, c.ended_at_us, c.provider, c.account, c.model, c.stream,
        c.request_id, c.received_request_id, c.trace_id, c.span_id, c.response_id, c.input_tokens, c.outcome,
        c.output_tokens_received, c.file_id, c.line_no,
        c.started_at_us // 3600000000 * 3600000000 AS hour_at_us
    FROM client_call AS c
    WHERE c.event <> 'ended'
        AND c.at_us >= (SELECT min(hour_at_us) FROM probable_hour)
        AND c.at_us < (SELECT max(hour_at_us) FROM probable_hour) + 10800000000
        AND (c.provider, c.model) IN (SELECT (provider, model) FROM lone_suspect)
),
-- Materialised, so that the join below hashes by the cell: joined by the hour first, it would be hours squared.
due AS MATERIALIZED (
    SELECT
        r.*, r.started_at_us + d.shift_us::BIGINT AS due_us, d.reach_us AS near_us,
        (r.started_at_us + d.shift_us::BIGINT) // $reach_us AS cell
    FROM recent AS r
    JOIN delay_model AS d ON d.source = r.source AND d.hour_at_us = r.hour_at_us
),
met AS MATERIALIZED (
    SELECT DISTINCT r.file_id, r.line_no
    FROM due AS r
    JOIN wish AS w ON w.provider = r.provider AND w.model = r.model AND w.cell = r.cell AND w.hour_at_us = r.hour_at_us
    WHERE abs(w.received_at_us - r.due_us) <= r.near_us
),
near AS (
    SELECT r.* EXCLUDE (due_us, near_us, cell, file_id, line_no)
    FROM due AS r
    SEMI JOIN met AS m ON m.file_id = r.file_id AND m.line_no = r.line_no
),
ended AS (
    SELECT c.source, c.call_id, c.at_us, c.outcome, c.response_id, c.output_tokens_received
    FROM client_call AS c
    SEMI JOIN near AS n ON n.source = c.source AND n.call_id = c.call_id AND n.event = 'started'
    WHERE c.event = 'ended'
        AND c.at_us >= (SELECT min(hour_at_us) FROM probable_hour)
        AND c.at_us < (SELECT max(hour_at_us) FROM probable_hour) + 10800000000
)
SELECT
    n.source, n.call_id, n.started_at_us, coalesce(e.at_us, n.ended_at_us) AS ended_at_us, n.provider, n.account,
    n.model, n.stream, n.request_id, n.received_request_id, n.trace_id, n.span_id,
    coalesce(e.response_id, n.response_id) AS response_id, n.input_tokens,
    coalesce(e.outcome, n.outcome) AS outcome,
    coalesce(e.output_tokens_received, n.output_tokens_received) AS output_tokens_received, n.hour_at_us
FROM near AS n
LEFT JOIN ended AS e ON e.source = n.source AND e.call_id = n.call_id
ANTI JOIN suspect AS s
    ON s.source = n.source AND s.call_id = n.call_id AND s.started_at_us = n.started_at_us
