-- One row per abort whose row is new or differs, and per abort that is none any more.
CREATE OR REPLACE TEMP TABLE verdict_changed AS
WITH
standing AS (
    SELECT * EXCLUDE (run_id, recorded_at_us, retracted)
    FROM verdict_current
    WHERE suspect_no IN (SELECT suspect_no FROM verdict_touched)
),
-- Not by EXCEPT, which would look for equal rows among the drawn ones too.
fresh AS (
    SELECT d.*
    FROM verdict_drawn AS d
    LEFT JOIN standing AS s ON s.suspect_no = d.suspect_no
    WHERE s.suspect_no IS NULL OR s IS DISTINCT FROM d
),
gone AS (SELECT * FROM standing WHERE suspect_no NOT IN (SELECT suspect_no FROM verdict_drawn))
SELECT $run_id AS run_id, $now_us AS recorded_at_us, false AS retracted, * FROM fresh
UNION ALL
SELECT $run_id, $now_us, true, * FROM gone
