-- One row per suspect that something new may have matched: itself, a completion or another observer's call.
CREATE OR REPLACE TEMP TABLE active_suspect AS
WITH
new_completion AS NOT MATERIALIZED (
    SELECT request_id, trace_id, span_id, response_id
    FROM backend_completion
    WHERE batch_id > $from_batch
),
new_call AS NOT MATERIALIZED (
    SELECT request_id, received_request_id, trace_id, span_id
    FROM client_call
    WHERE batch_id > $from_batch AND event <> 'ended'
),
recent AS (
    SELECT suspect_no, request_id, received_request_id, trace_id, span_id, response_id
    FROM suspect
    WHERE started_at_us BETWEEN $active_from_us AND $active_to_us
),
-- Joins, not IN: the engine then builds its table from the suspects, which are few, and none at first.
old AS (
    SELECT r.* FROM recent AS r ANTI JOIN new_suspect AS n ON n.suspect_no = r.suspect_no
),
touched AS (
    SELECT suspect_no FROM new_suspect
    UNION ALL
    SELECT o.suspect_no FROM new_completion AS n JOIN old AS o ON o.request_id = n.request_id
    UNION ALL
    SELECT o.suspect_no FROM new_completion AS n JOIN old AS o ON o.received_request_id = n.request_id
    UNION ALL
    SELECT o.suspect_no FROM new_completion AS n JOIN old AS o ON o.trace_id = n.trace_id AND o.span_id = n.span_id
    UNION ALL
    SELECT o.suspect_no FROM new_completion AS n JOIN old AS o ON o.response_id = n.response_id
    UNION ALL
    SELECT o.suspect_no FROM new_call AS n JOIN old AS o ON o.request_id = n.request_id
    UNION ALL
    SELECT o.suspect_no FROM new_call AS n JOIN old AS o ON o.request_id = n.received_request_id
    UNION ALL
    SELECT o.suspect_no FROM new_call AS n JOIN old AS o ON o.received_request_id = n.request_id
    UNION ALL
    SELECT o.suspect_no FROM new_call AS n JOIN old AS o ON o.trace_id = n.trace_id AND o.span_id = n.span_id
),
core AS (
    SELECT r.* FROM recent AS r WHERE r.suspect_no IN (SELECT suspect_no FROM touched)
)
SELECT DISTINCT suspect_no
FROM (
    SELECT suspect_no FROM core
    UNION ALL
    SELECT suspect_no FROM recent WHERE request_id IN (SELECT request_id FROM core)
    UNION ALL
    SELECT suspect_no FROM recent WHERE request_id IN (SELECT received_request_id FROM core)
    UNION ALL
    SELECT suspect_no FROM recent WHERE received_request_id IN (SELECT request_id FROM core)
    UNION ALL
    SELECT suspect_no FROM recent WHERE trace_id IS NOT NULL AND (trace_id, span_id) IN (
            SELECT (trace_id, span_id) FROM core WHERE trace_id IS NOT NULL AND span_id IS NOT NULL)
)
