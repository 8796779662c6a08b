-- One row per call that may be a touched suspect's next attempt, or that makes it ambiguous which one is.
CREATE OR REPLACE TEMP TABLE retry_near AS
WITH
recent AS NOT MATERIALIZED (
    SELECT
        source, call_id, started_at_us,
        service, provider, account, model, operation, stream,
        coalesce(received_request_id, request_id) AS shared_id, retry_of, retry_count, input_tokens, request_bytes
    FROM client_call
    WHERE event <> 'ended'
        -- a proxy's line is written when the call has ended
        AND at_us BETWEEN $near_from_us AND $near_to_us + $window_us
        AND started_at_us BETWEEN $near_from_us AND $near_to_us
),
named AS (
    SELECT source, call_id AS name FROM retry_suspect
    UNION
    SELECT source, retry_of FROM retry_suspect WHERE retry_of IS NOT NULL
),
near AS (
    SELECT source, input_tokens, request_bytes, unnest([-1, 0, 1]) + left_at_us // $backoff_us AS cell
    FROM retry_suspect
),
later AS (
    SELECT source, retry_count + 1 AS retry_count, unnest([0, 1]) + left_at_us // $retry_after_us AS cell
    FROM retry_suspect
),
-- The keys first: most calls are near nothing, and the rest of their columns is never read.
found AS (
    SELECT r.source, r.call_id, r.started_at_us
    FROM recent AS r
    SEMI JOIN named AS n ON n.source = r.source AND n.name = r.retry_of
    WHERE r.retry_of IS NOT NULL
    UNION
    SELECT r.source, r.call_id, r.started_at_us
    FROM recent AS r
    SEMI JOIN retry_suspect AS s ON s.source = r.source AND s.shared_id = r.shared_id
    UNION
    SELECT r.source, r.call_id, r.started_at_us
    FROM recent AS r
    SEMI JOIN near AS n
        ON n.source = r.source AND n.input_tokens = r.input_tokens AND n.cell = r.started_at_us // $backoff_us
    WHERE r.input_tokens IS NOT NULL
    UNION
    SELECT r.source, r.call_id, r.started_at_us
    FROM recent AS r
    SEMI JOIN near AS n
        ON n.source = r.source AND n.request_bytes = r.request_bytes AND n.cell = r.started_at_us // $backoff_us
    WHERE r.request_bytes IS NOT NULL
    UNION
    SELECT r.source, r.call_id, r.started_at_us
    FROM recent AS r
    SEMI JOIN later AS n
        ON n.source = r.source AND n.retry_count = r.retry_count AND n.cell = r.started_at_us // $retry_after_us
    WHERE r.retry_count > 0
),
other AS (
    SELECT f.source, f.call_id, f.started_at_us, s.suspect_no
    FROM found AS f
    LEFT JOIN suspect AS s
        ON s.source = f.source AND s.call_id = f.call_id AND s.started_at_us = f.started_at_us
        AND s.started_at_us BETWEEN $near_from_us AND $near_to_us
),
-- What a suspect told is at hand; only for the others are the calls read once more.
told AS (
    SELECT
        s.source, s.call_id, s.started_at_us, s.service, s.provider, s.account, s.model, s.operation, s.stream,
        coalesce(s.received_request_id, s.request_id) AS shared_id, s.retry_of, s.retry_count, s.input_tokens,
        s.request_bytes, s.suspect_no
    FROM suspect AS s
    JOIN other AS o ON o.suspect_no = s.suspect_no
    WHERE s.started_at_us BETWEEN $near_from_us AND $near_to_us
    UNION ALL
    SELECT
        r.source, r.call_id, r.started_at_us, r.service, r.provider, r.account, r.model, r.operation, r.stream,
        r.shared_id, r.retry_of, r.retry_count, r.input_tokens, r.request_bytes, NULL
    FROM recent AS r
    JOIN (SELECT * FROM other WHERE suspect_no IS NULL) AS o
        ON o.source = r.source AND o.call_id = r.call_id AND o.started_at_us = r.started_at_us
)
SELECT
    row_number() OVER () AS near_no, source, call_id, started_at_us,
    -- of the few that are left: texts are dear to put together
    concat_ws('|', coalesce(service, ''), coalesce(provider, ''), coalesce(account, ''), model,
        coalesce(operation, ''), coalesce(stream::VARCHAR, '')) AS kind,
    shared_id, retry_of, retry_count, input_tokens, request_bytes, suspect_no
FROM told
