-- One row per label set and counter of aborts, verdicts and waits that a changed verdict moves.
INSERT INTO counter_change
WITH
bound AS (
    SELECT unnest([1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 9000000000]) AS upper_s
),
first_time AS (
    SELECT * FROM count_movement WHERE counted_no IS NULL
),
waited AS (
    SELECT 'abort_wait_seconds' AS name, [provider, model] AS labels, greatest(ended_at_us - started_at_us, 0) AS us
    FROM first_time
    WHERE ended_at_us IS NOT NULL
    UNION ALL
    SELECT 'overrun_seconds', [provider, model], greatest(finished_at_us - ended_at_us, 0)
    FROM first_time
    WHERE ended_at_us IS NOT NULL AND finished_at_us IS NOT NULL
    UNION ALL
    -- only where the backend ran on to its end: what a longer timeout would have received
    SELECT 'timeout_overrun_seconds', [provider, model, service], greatest(finished_at_us - ended_at_us, 0)
    FROM first_time
    WHERE ended_at_us IS NOT NULL AND finished_at_us IS NOT NULL AND reason = 'timeout' AND verdict = 'orphaned'
),
moved AS (
    SELECT 'aborts_total' AS name, [provider, model, service, reason, verdict] AS labels, 1 AS delta FROM first_time
    UNION ALL
    SELECT 'verdict_changes_total', [old_verdict, verdict], 1
    FROM count_movement
    WHERE counted_no IS NOT NULL AND verdict IS NOT NULL AND verdict <> old_verdict
    UNION ALL
    SELECT w.name || '_bucket', list_append(w.labels, b.upper_s::VARCHAR), 1
    FROM waited AS w
    JOIN bound AS b ON w.us <= b.upper_s * 1000000
    UNION ALL
    SELECT name || '_sum', labels, us FROM waited
)
SELECT $run_id, $now_us, name, labels, sum(delta) FROM moved GROUP BY name, labels ORDER BY name, labels
