-- One row per suspect whose next attempt may be another than before: it is new or gone, or a call near it changed.
CREATE OR REPLACE TEMP TABLE retry_touched AS
WITH
standing AS (
    SELECT v.observer, v.call_id, v.started_at_us
    FROM verdict_current AS v
    JOIN reappeared AS r ON r.suspect_no = v.suspect_no
),
-- Calls that are new, or that have become suspects or none: each may be a next attempt, or make one ambiguous.
changed AS NOT MATERIALIZED (
    SELECT source, model, started_at_us, coalesce(received_request_id, request_id) AS shared_id, retry_of
    FROM client_call
    WHERE batch_id > $from_batch AND event <> 'ended'
    UNION ALL
    SELECT source, model, started_at_us, coalesce(received_request_id, request_id), retry_of FROM new_suspect
    UNION ALL
    SELECT c.source, c.model, c.started_at_us, coalesce(c.received_request_id, c.request_id), c.retry_of
    FROM client_call AS c
    JOIN standing AS g
        ON g.observer = c.source AND g.call_id = c.call_id AND g.started_at_us = c.at_us AND c.event = 'started'
    WHERE c.at_us BETWEEN (SELECT min(started_at_us) FROM standing) AND (SELECT max(started_at_us) FROM standing)
),
extent AS (
    SELECT min(started_at_us) - $window_us AS from_us, max(started_at_us) + $backoff_us AS to_us FROM changed
),
recent AS (
    SELECT
        suspect_no, source, call_id, model, retry_of, coalesce(received_request_id, request_id) AS shared_id,
        coalesce(ended_at_us, started_at_us) AS left_at_us
    FROM suspect
    WHERE started_at_us BETWEEN (SELECT from_us FROM extent) AND (SELECT to_us FROM extent)
        AND suspect_no NOT IN (SELECT suspect_no FROM new_suspect)
),
-- What happens shortly before the abort and up to a server's longest wish to wait, in steps of the back-off.
near AS (
    SELECT suspect_no, source, model, unnest(range(
        (left_at_us - $backoff_us) // $backoff_us, (left_at_us + $retry_after_us) // $backoff_us + 1
    )) AS cell
    FROM recent
)
SELECT suspect_no FROM new_suspect
UNION
SELECT suspect_no FROM reappeared
UNION
SELECT r.suspect_no FROM recent AS r SEMI JOIN changed AS c ON c.source = r.source AND c.retry_of = r.call_id
UNION
SELECT r.suspect_no FROM recent AS r SEMI JOIN changed AS c ON c.source = r.source AND c.retry_of = r.retry_of
UNION
SELECT r.suspect_no FROM recent AS r SEMI JOIN changed AS c ON c.source = r.source AND c.shared_id = r.shared_id
UNION
SELECT n.suspect_no
FROM near AS n
SEMI JOIN changed AS c
    ON c.source = n.source AND c.model = n.model AND c.started_at_us // $backoff_us = n.cell
