-- One row per unmatched call of one observer and completion it may be, with the distance in time.
CREATE OR REPLACE TEMP TABLE allowed AS
WITH
direct AS (
    SELECT p.node_no, p.completion_no
    FROM pair AS p
    JOIN node AS n ON n.node_no = p.node_no
    WHERE n.source = $source AND p.node_no NOT IN (SELECT node_no FROM matched)
    QUALIFY p.id_rank = min(p.id_rank) OVER (PARTITION BY p.node_no)
),
-- Through another observer's call that has found its completion.
through AS (
    SELECT l.node_no, m.completion_no
    FROM link AS l
    JOIN node AS n ON n.node_no = l.node_no
    JOIN matched AS m ON m.node_no = l.other_no
    WHERE n.source = $source AND l.node_no NOT IN (SELECT node_no FROM matched)
        AND l.node_no NOT IN (SELECT node_no FROM direct)
),
possible AS (
    SELECT node_no, completion_no FROM direct
    UNION
    SELECT node_no, completion_no FROM through
)
SELECT
    p.node_no, p.completion_no,
    CASE
        WHEN c.received_at_us IS NOT NULL THEN abs(c.received_at_us - n.started_at_us)
        WHEN n.outcome = 'delivered' THEN abs(c.finished_at_us - n.ended_at_us)
        ELSE abs(c.finished_at_us - n.started_at_us)
    END AS distance_us,
    count(*) OVER (PARTITION BY p.node_no) AS completions,
    count(*) OVER (PARTITION BY p.completion_no) AS calls
FROM possible AS p
JOIN node AS n ON n.node_no = p.node_no
JOIN candidate AS c ON c.completion_no = p.completion_no
WHERE p.completion_no NOT IN (
    SELECT m.completion_no FROM matched AS m JOIN node AS o ON o.node_no = m.node_no WHERE o.source = $source
)
