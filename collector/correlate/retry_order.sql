-- One row per open suspect and call that may have superseded it, in the order in which they are chosen.
CREATE OR REPLACE TEMP TABLE retry_order AS
WITH
edge AS (
    SELECT * FROM retry_candidate WHERE suspect_no IN (SELECT suspect_no FROM retry_open)
),
seat AS (
    SELECT s.source, s.call_id, s.started_at_us, min(s.suspect_no) AS suspect_no
    FROM suspect AS s
    SEMI JOIN edge AS e
        ON e.source = s.source AND e.next_call_id = s.call_id AND e.next_started_at_us = s.started_at_us
    GROUP BY s.source, s.call_id, s.started_at_us
)
SELECT
    row_number() OVER (
        ORDER BY e.rank, e.gap_us, e.started_at_us, e.call_id, e.source, e.next_started_at_us, e.next_call_id,
            e.suspect_no
    ) AS edge_no,
    dense_rank() OVER (ORDER BY e.source, e.next_started_at_us, e.next_call_id) AS call_no,
    s.suspect_no AS next_suspect_no, e.*
FROM edge AS e
LEFT JOIN seat AS s
    ON s.source = e.source AND s.call_id = e.next_call_id AND s.started_at_us = e.next_started_at_us
