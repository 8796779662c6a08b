-- One row per touched suspect, with what its started line says beyond the state: bytes and the SDK's count of retries.
CREATE OR REPLACE TEMP TABLE retry_suspect AS
WITH
touched AS (
    SELECT * FROM suspect WHERE suspect_no IN (SELECT suspect_no FROM retry_touched)
),
told AS (
    SELECT c.source, c.call_id, c.started_at_us, max(c.request_bytes) AS request_bytes, max(c.retry_count) AS retry_count
    FROM client_call AS c
    SEMI JOIN touched AS t
        ON t.source = c.source AND t.call_id = c.call_id AND t.started_at_us = c.started_at_us
    WHERE c.event <> 'ended'
        AND c.at_us BETWEEN (SELECT min(started_at_us) FROM touched)
            AND (SELECT max(greatest(started_at_us, coalesce(ended_at_us, 0))) FROM touched)
    GROUP BY c.source, c.call_id, c.started_at_us
)
SELECT
    t.suspect_no, t.source, t.call_id, t.started_at_us, t.ended_at_us,
    coalesce(t.ended_at_us, t.started_at_us) AS left_at_us,
    concat_ws('|', coalesce(t.service, ''), coalesce(t.provider, ''), coalesce(t.account, ''), t.model,
        coalesce(t.operation, ''), coalesce(t.stream::VARCHAR, '')) AS kind,
    coalesce(t.received_request_id, t.request_id) AS shared_id, t.retry_of, t.input_tokens, n.request_bytes,
    coalesce(n.retry_count, 0) AS retry_count
FROM touched AS t
LEFT JOIN told AS n
    ON n.source = t.source AND n.call_id = t.call_id AND n.started_at_us = t.started_at_us
