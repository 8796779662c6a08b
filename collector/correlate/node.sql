-- One row per observer's call that takes part: the active suspects, and every call that shares an id with one.
CREATE OR REPLACE TEMP TABLE node AS
WITH
core AS (
    SELECT s.* FROM suspect AS s
    WHERE s.suspect_no IN (SELECT suspect_no FROM active_suspect)
),
-- Looked for in one reading: whatever is put aside of all recent calls would not fit into memory. By the span alone
-- at first: pairs are dear to put together.
alike AS (
    SELECT
        source, call_id, event, at_us, started_at_us, ended_at_us, request_id, received_request_id, trace_id,
        span_id, outcome, bytes_received, upstream_bytes
    FROM client_call
    WHERE at_us BETWEEN $node_from_us AND $node_to_us AND event <> 'ended'
        AND (
            request_id IN (SELECT request_id FROM core UNION ALL SELECT received_request_id FROM core)
            OR received_request_id IN (SELECT request_id FROM core)
            OR span_id IN (SELECT span_id FROM core WHERE trace_id IS NOT NULL AND span_id IS NOT NULL)
        )
),
shared AS (
    SELECT *
    FROM alike
    WHERE request_id IN (SELECT request_id FROM core UNION ALL SELECT received_request_id FROM core)
        OR received_request_id IN (SELECT request_id FROM core)
        OR (
            trace_id IS NOT NULL AND (trace_id, span_id) IN (
                SELECT (trace_id, span_id) FROM core WHERE trace_id IS NOT NULL AND span_id IS NOT NULL)
        )
),
-- Two joins by equality, because an OR in an anti join would compare every row with every other.
neighbour AS (
    SELECT s.*
    FROM shared AS s
    ANTI JOIN core AS c ON c.source = s.source AND c.call_id = s.call_id
    WHERE s.event = 'started'
    UNION ALL
    SELECT s.*
    FROM shared AS s
    ANTI JOIN core AS c
        ON c.source = s.source AND c.call_id = s.call_id AND c.ended_at_us IS NOT DISTINCT FROM s.ended_at_us
    WHERE s.event <> 'started'
),
ended AS (
    SELECT c.source, c.call_id, c.at_us, c.outcome, c.response_id, c.bytes_received
    FROM client_call AS c
    SEMI JOIN neighbour AS n ON n.source = c.source AND n.call_id = c.call_id AND n.event = 'started'
    WHERE c.at_us BETWEEN $node_from_us AND $node_to_us AND c.event = 'ended'
),
together AS (
    SELECT
        suspect_no, source, call_id, outcome, reason, started_at_us, ended_at_us, request_id,
        received_request_id, trace_id, span_id, response_id, bytes_received, upstream_bytes
    FROM core
    UNION ALL
    SELECT
        NULL, n.source, n.call_id, coalesce(e.outcome, n.outcome), NULL, n.started_at_us,
        coalesce(e.at_us, n.ended_at_us), n.request_id, n.received_request_id, n.trace_id, n.span_id,
        e.response_id, coalesce(e.bytes_received, n.bytes_received), n.upstream_bytes
    FROM neighbour AS n
    LEFT JOIN ended AS e ON e.source = n.source AND e.call_id = n.call_id
)
SELECT row_number() OVER (ORDER BY t.started_at_us, t.source, t.call_id) AS node_no, t.*, o.hop, o.absorbs
FROM together AS t
JOIN observer AS o ON o.source = t.source
