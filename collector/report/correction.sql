-- One row per currency and earlier week: what was lost in it, as its report could first tell it.
WITH
week AS (
    SELECT unnest($starts_us) AS start_us, unnest($ends_us) AS end_us, unnest($dues_us) AS due_us
),
-- The version of each verdict that held when the week's report was due.
held AS (
    SELECT w.start_us, w.end_us, arg_max(v, v.run_id) AS version
    FROM main.verdict AS v
    JOIN week AS w
        ON v.recorded_at_us <= w.due_us AND v.recorded_at_us <= $now_us AND v.started_at_us < w.end_us
        AND v.started_at_us >= w.start_us - $slack_us
    WHERE v.started_at_us >= $oldest_us - $slack_us
    GROUP BY w.start_us, w.end_us, v.suspect_no
),
told AS (
    SELECT start_us, end_us, unnest(version) FROM held
)
SELECT start_us, currency, sum(orphaned_nano)::HUGEINT AS told_nano
FROM told
WHERE NOT retracted AND currency IS NOT NULL AND verdict IN ('orphaned', 'cut_short')
    AND coalesce(finished_at_us, ended_at_us, started_at_us) >= start_us
    AND coalesce(finished_at_us, ended_at_us, started_at_us) < end_us
GROUP BY start_us, currency
ORDER BY start_us, currency
