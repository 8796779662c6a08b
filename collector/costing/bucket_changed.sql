-- One row per bucket whose figures are new or differ, and per bucket that is none any more.
CREATE OR REPLACE TEMP TABLE bucket_changed AS
WITH
drawn AS (SELECT * EXCLUDE (bucket_no, shareable) FROM bucket_drawn),
standing AS (SELECT * EXCLUDE (run_id, recorded_at_us, retracted) FROM bucket_standing),
fresh AS (SELECT * FROM drawn EXCEPT SELECT * FROM standing),
gone AS (
    SELECT s.*
    FROM standing AS s
    ANTI JOIN drawn AS d
        ON d.provider = s.provider AND d.account = s.account AND d.model = s.model AND d.usage_kind = s.usage_kind
        AND d.price_class IS NOT DISTINCT FROM s.price_class AND d.currency IS NOT DISTINCT FROM s.currency
        AND d.usage_start_us = s.usage_start_us AND d.usage_end_us = s.usage_end_us
)
SELECT $run_id AS run_id, $now_us AS recorded_at_us, false AS retracted, * FROM fresh
UNION ALL
SELECT $run_id, $now_us, true, * FROM gone
