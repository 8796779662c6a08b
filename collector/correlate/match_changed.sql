-- One row per active suspect that has a completion, or whose attempt stands on another observer's row, with what all saw.
CREATE OR REPLACE TEMP TABLE match_changed AS
WITH
member AS (
    SELECT m.completion_no, n.*, c.status,
        -- A failed call is an abort only where the backend's work went well.
        n.suspect_no IS NOT NULL AND (n.outcome = 'aborted' OR c.status = 'ok') AS is_abort
    FROM matched AS m
    JOIN node AS n ON n.node_no = m.node_no
    JOIN candidate AS c ON c.completion_no = m.completion_no
),
attempt AS (
    SELECT
        completion_no,
        min(suspect_no) AS attempt_no,
        max(hop) FILTER (is_abort) AS abort_hop,
        arg_min(node_no, (-hop, started_at_us, node_no)) FILTER (is_abort) AS money_node_no,
        max(hop) FILTER (outcome = 'delivered') AS delivered_hop,
        bool_or(absorbs AND outcome = 'delivered') AS absorbed,
        max(coalesce(upstream_bytes, bytes_received)) FILTER (outcome = 'delivered') AS bytes_total
    FROM member
    GROUP BY completion_no
)
SELECT
    m.suspect_no, c.provider, c.account, c.completion_id, c.finished_at_us, c.received_at_us, 'exact' AS evidence,
    1.0::DOUBLE AS probability, a.attempt_no, m.node_no = a.money_node_no AS money_row,
    coalesce(a.delivered_hop > a.abort_hop, false) OR coalesce(a.absorbed, false) AS delivered_outside,
    a.bytes_total
FROM member AS m
JOIN attempt AS a ON a.completion_no = m.completion_no
JOIN candidate AS c ON c.completion_no = m.completion_no
WHERE m.is_abort
UNION ALL
-- Without a completion the attempt still stands on its outermost observer's row; the others say that they do not.
SELECT
    n.suspect_no, NULL, NULL, NULL, NULL, NULL, 'none', NULL, o.outer_no, false, false, NULL
FROM node AS n
JOIN (
    SELECT l.node_no, min(a.suspect_no) AS outer_no
    FROM link AS l
    JOIN node AS n ON n.node_no = l.node_no
    JOIN node AS a ON a.node_no = l.other_no
    WHERE a.suspect_no IS NOT NULL AND a.outcome = 'aborted' AND (a.hop > n.hop OR (a.hop = n.hop AND a.node_no < n.node_no))
    GROUP BY l.node_no
) AS o ON o.node_no = n.node_no
WHERE n.suspect_no IS NOT NULL AND n.outcome = 'aborted' AND n.node_no NOT IN (SELECT node_no FROM matched)
