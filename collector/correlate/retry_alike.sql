-- One row per touched suspect and other call of the same observer and kind near it, with how the two compare.
CREATE OR REPLACE TEMP TABLE retry_alike AS
WITH
near AS (
    SELECT
        suspect_no, source, kind, input_tokens, request_bytes,
        unnest([-1, 0, 1]) + left_at_us // $backoff_us AS cell
    FROM retry_suspect
),
later AS (
    SELECT
        suspect_no, source, kind, retry_count + 1 AS retry_count,
        unnest([0, 1]) + left_at_us // $retry_after_us AS cell
    FROM retry_suspect
),
pair AS (
    SELECT s.suspect_no, n.near_no
    FROM retry_suspect AS s
    JOIN retry_near AS n ON n.source = s.source AND n.kind = s.kind AND n.shared_id = s.shared_id
    UNION
    SELECT w.suspect_no, n.near_no
    FROM near AS w
    JOIN retry_near AS n
        ON n.source = w.source AND n.kind = w.kind AND n.input_tokens = w.input_tokens
        AND n.started_at_us // $backoff_us = w.cell
    UNION
    SELECT w.suspect_no, n.near_no
    FROM near AS w
    JOIN retry_near AS n
        ON n.source = w.source AND n.kind = w.kind AND n.request_bytes = w.request_bytes
        AND n.started_at_us // $backoff_us = w.cell
    UNION
    SELECT w.suspect_no, n.near_no
    FROM later AS w
    JOIN retry_near AS n
        ON n.source = w.source AND n.kind = w.kind AND n.retry_count = w.retry_count
        AND n.started_at_us // $retry_after_us = w.cell
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
    WHERE n.call_id <> s.call_id OR n.started_at_us <> s.started_at_us
)
SELECT * EXCLUDE (one_size), one_size AND NOT other_size AS same_size FROM compared
