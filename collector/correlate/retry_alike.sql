-- One row per touched suspect and other call of the same observer and kind near it, with how the two compare.
CREATE OR REPLACE TEMP TABLE retry_alike AS
WITH
cell AS (
    SELECT
        suspect_no, source, model, input_tokens, request_bytes, unnest([-1, 0, 1]) + left_at_us // $backoff_us AS cell
    FROM retry_suspect
),
later AS (
    SELECT suspect_no, source, model, retry_count, unnest([0, 1]) + left_at_us // $retry_after_us AS cell
    FROM retry_suspect
),
pair AS (
    SELECT s.suspect_no, n.near_no
    FROM retry_suspect AS s
    JOIN retry_near AS n ON n.source = s.source AND n.shared_id = s.shared_id
    UNION
    SELECT c.suspect_no, n.near_no
    FROM cell AS c
    JOIN retry_near AS n
        ON n.source = c.source AND n.model = c.model AND n.input_tokens = c.input_tokens
        AND n.started_at_us // $backoff_us = c.cell
    UNION
    SELECT c.suspect_no, n.near_no
    FROM cell AS c
    JOIN retry_near AS n
        ON n.source = c.source AND n.model = c.model AND n.request_bytes = c.request_bytes
        AND n.started_at_us // $backoff_us = c.cell
    UNION
    SELECT l.suspect_no, n.near_no
    FROM later AS l
    JOIN retry_near AS n
        ON n.source = l.source AND n.model = l.model AND n.retry_count = l.retry_count + 1
        AND n.started_at_us // $retry_after_us = l.cell
),
compared AS (
    SELECT
        s.suspect_no, s.left_at_us, s.ended_at_us IS NOT NULL AS left_known, n.call_id AS next_call_id,
        n.started_at_us AS next_started_at_us, n.suspect_no IS NOT NULL AS is_suspect,
        n.started_at_us > s.started_at_us AND n.started_at_us >= s.left_at_us AS is_later,
        n.retry_of IS NOT NULL AS is_named,
        coalesce(s.shared_id = n.shared_id, false) AS same_id,
        coalesce(s.input_tokens = n.input_tokens, false) OR coalesce(s.request_bytes = n.request_bytes, false)
            AS one_size,
        coalesce(s.input_tokens <> n.input_tokens, false) OR coalesce(s.request_bytes <> n.request_bytes, false)
            AS other_size,
        coalesce(n.retry_count, 0) > 0 AS is_counted,
        coalesce(n.retry_count = s.retry_count + 1, false) AS counted_on
    FROM pair AS p
    JOIN retry_suspect AS s ON s.suspect_no = p.suspect_no
    JOIN retry_near AS n ON n.near_no = p.near_no
    WHERE n.model IS NOT DISTINCT FROM s.model AND n.service IS NOT DISTINCT FROM s.service
        AND n.provider IS NOT DISTINCT FROM s.provider AND n.account IS NOT DISTINCT FROM s.account
        AND n.operation IS NOT DISTINCT FROM s.operation AND n.stream IS NOT DISTINCT FROM s.stream
        AND (n.call_id, n.started_at_us) <> (s.call_id, s.started_at_us)
)
SELECT * EXCLUDE (one_size), one_size AND NOT other_size AS same_size FROM compared
