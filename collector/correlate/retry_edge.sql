-- One row per touched suspect and later call that may have superseded it: by what, and how sure that is as a rank.
CREATE OR REPLACE TEMP TABLE retry_edge AS
WITH
-- Who started the same just before the abort, and was not left: then a later twin may be the next of many.
crowd AS (
    SELECT DISTINCT suspect_no, same_id, same_size
    FROM retry_alike
    WHERE NOT is_later AND NOT is_suspect
        AND (same_size AND next_started_at_us >= left_at_us - $backoff_us
            OR same_id AND next_started_at_us >= left_at_us - $horizon_us)
),
free AS (
    SELECT
        a.*,
        a.suspect_no IN (SELECT suspect_no FROM crowd WHERE same_size) AS size_crowded,
        a.suspect_no IN (SELECT suspect_no FROM crowd WHERE same_id) AS id_crowded
    FROM retry_alike AS a
    -- a call that names its predecessor has no other
    WHERE a.is_later AND NOT a.is_named AND NOT a.other_size AND (a.counted_on OR NOT a.is_counted)
),
possible AS (
    SELECT
        s.suspect_no, n.call_id AS next_call_id, n.started_at_us AS next_started_at_us, 1 AS rank,
        'retry_of' AS evidence, n.started_at_us - s.left_at_us AS gap_us
    FROM retry_suspect AS s
    JOIN retry_near AS n ON n.source = s.source AND n.retry_of = s.call_id
    WHERE (n.started_at_us, n.call_id) > (s.started_at_us, s.call_id)
        AND n.started_at_us <= s.started_at_us + $window_us
    UNION ALL
    -- Some programs name the first attempt in every later one.
    SELECT s.suspect_no, n.call_id, n.started_at_us, 2, 'retry_of', n.started_at_us - s.left_at_us
    FROM retry_suspect AS s
    JOIN retry_near AS n ON n.source = s.source AND n.retry_of = s.retry_of
    WHERE s.ended_at_us IS NOT NULL AND n.started_at_us > s.started_at_us AND n.started_at_us >= s.left_at_us
        AND n.started_at_us <= s.started_at_us + $window_us
    UNION ALL
    SELECT suspect_no, next_call_id, next_started_at_us, 3, 'retry_count', next_started_at_us - left_at_us
    FROM free
    WHERE counted_on AND left_known AND next_started_at_us <= left_at_us + $retry_after_us
    UNION ALL
    SELECT suspect_no, next_call_id, next_started_at_us, 4, 'same id', next_started_at_us - left_at_us
    FROM free
    WHERE same_id AND (same_size OR NOT id_crowded) AND next_started_at_us <= left_at_us + $horizon_us
    UNION ALL
    SELECT suspect_no, next_call_id, next_started_at_us, 5, 'time and size', next_started_at_us - left_at_us
    FROM free
    WHERE same_size AND left_known AND NOT size_crowded AND next_started_at_us <= left_at_us + $backoff_us
),
best AS (
    SELECT
        suspect_no, next_call_id, next_started_at_us, min(rank) AS rank, arg_min(evidence, rank) AS evidence,
        min(gap_us) AS gap_us
    FROM possible
    GROUP BY suspect_no, next_call_id, next_started_at_us
)
SELECT b.*, s.source, s.call_id, s.started_at_us
FROM best AS b
JOIN retry_suspect AS s ON s.suspect_no = b.suspect_no
QUALIFY row_number() OVER (
    PARTITION BY b.suspect_no ORDER BY b.rank, b.gap_us, b.next_started_at_us, b.next_call_id) <= $rivals_max
