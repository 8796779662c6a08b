-- One row per abort whose row is new or differs, and per abort that is none any more.
CREATE OR REPLACE TEMP TABLE verdict_changed AS
WITH
standing AS (
    SELECT * EXCLUDE (run_id, recorded_at_us, retracted)
    FROM verdict_current
    WHERE suspect_no IN (SELECT suspect_no FROM verdict_touched)
),
fresh AS (SELECT * FROM verdict_drawn EXCEPT SELECT * FROM standing),
gone AS (SELECT * FROM standing WHERE suspect_no NOT IN (SELECT suspect_no FROM verdict_drawn))
SELECT $run_id AS run_id, $now_us AS recorded_at_us, false AS retracted, * FROM fresh
UNION ALL
SELECT $run_id, $now_us, true, * FROM gone
