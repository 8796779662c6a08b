-- One row per week asked for: how many aborts and buckets the ledger knows in it; a week with neither is unknown.
WITH
week AS (
    SELECT unnest($starts_us) AS start_us, unnest($ends_us) AS end_us
),
abort AS (
    SELECT w.start_us, count(*) AS aborts
    FROM verdict_current AS v
    JOIN week AS w
        ON coalesce(v.finished_at_us, v.ended_at_us, v.started_at_us) >= w.start_us
        AND coalesce(v.finished_at_us, v.ended_at_us, v.started_at_us) < w.end_us
    WHERE v.money_row
    GROUP BY w.start_us
),
bucket AS (
    SELECT w.start_us, count(*) AS buckets
    FROM bucket_current AS b
    JOIN week AS w ON b.usage_start_us >= w.start_us AND b.usage_start_us < w.end_us
    WHERE b.model <> ''
    GROUP BY w.start_us
)
SELECT w.start_us, coalesce(a.aborts, 0) AS aborts, coalesce(b.buckets, 0) AS buckets
FROM week AS w
LEFT JOIN abort AS a ON a.start_us = w.start_us
LEFT JOIN bucket AS b ON b.start_us = w.start_us
ORDER BY w.start_us
