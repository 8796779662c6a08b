-- One row per label set and counter of aborts, verdicts and waits that a changed verdict moves.
INSERT INTO counter_change
WITH
bound AS (
    SELECT upper_s, upper_s * 1000000 AS upper_us
    FROM (SELECT unnest([1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 9000000000]) AS upper_s)
),
first_time AS (
    SELECT * FROM count_movement WHERE counted_no IS NULL
),
waited AS (
    SELECT 'abort_wait_seconds' AS name, provider, model, NULL AS service, greatest(ended_at_us - started_at_us, 0) AS us
    FROM first_time
    WHERE ended_at_us IS NOT NULL
    UNION ALL
    SELECT 'overrun_seconds', provider, model, NULL, greatest(finished_at_us - ended_at_us, 0)
    FROM first_time
    WHERE ended_at_us IS NOT NULL AND finished_at_us IS NOT NULL
    UNION ALL
    -- only where the backend ran on to its end: what a longer timeout would have received
    SELECT 'timeout_overrun_seconds', provider, model, service, greatest(finished_at_us - ended_at_us, 0)
    FROM first_time
    WHERE ended_at_us IS NOT NULL AND finished_at_us IS NOT NULL AND reason = 'timeout' AND verdict = 'orphaned'
),
-- Added up before the labels are put together, which are dear to compare.
wait AS (
    SELECT
        name,
        CASE name WHEN 'timeout_overrun_seconds' THEN [provider, model, service] ELSE [provider, model] END AS labels,
        sum(us) AS us, histogram(us, (SELECT list(upper_us ORDER BY upper_us) FROM bound)) AS waits
    FROM waited
    GROUP BY name, provider, model, service
),
filled AS (
    SELECT name, labels, unnest(map_entries(waits), recursive := true) FROM wait
),
abort AS (
    SELECT provider, model, service, reason, verdict, count(*) AS aborts FROM first_time GROUP BY ALL
),
moved AS (
    SELECT 'aborts_total' AS name, [provider, model, service, reason, verdict] AS labels, aborts AS delta FROM abort
    UNION ALL
    SELECT 'verdict_changes_total', [old_verdict, verdict], 1
    FROM count_movement
    WHERE counted_no IS NOT NULL AND verdict IS NOT NULL AND verdict <> old_verdict
    UNION ALL
    -- a bucket of the metric holds those of the smaller ones too
    SELECT f.name || '_bucket', list_append(f.labels, b.upper_s::VARCHAR), f.value
    FROM filled AS f
    JOIN bound AS b ON f.key <= b.upper_us
    WHERE f.value > 0
    UNION ALL
    SELECT name || '_sum', labels, us FROM wait
)
SELECT $run_id, $now_us, name, labels, sum(delta) FROM moved GROUP BY name, labels ORDER BY name, labels
