-- One row per open suspect whose next attempt, or place in its chain, is another than before.
CREATE OR REPLACE TEMP TABLE retry_changed AS
WITH
standing AS (
    SELECT * EXCLUDE (run_id, recorded_at_us, retracted)
    FROM retry_current
    WHERE suspect_no IN (SELECT suspect_no FROM retry_open)
),
drawn AS (
    SELECT
        o.suspect_no, o.source, o.call_id, o.started_at_us, o.next_call_id, o.next_started_at_us, o.evidence,
        o.gap_us, c.chain_no, c.attempt
    FROM retry_choice AS c
    JOIN retry_order AS o ON o.edge_no = c.edge_no
)
SELECT $run_id AS run_id, $now_us AS recorded_at_us, false AS retracted, *
FROM (SELECT * FROM drawn EXCEPT SELECT * FROM standing)
UNION ALL
SELECT $run_id, $now_us, true, *
FROM (SELECT * FROM standing WHERE suspect_no NOT IN (SELECT suspect_no FROM drawn))
