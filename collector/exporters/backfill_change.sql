-- One row per label set, bound of a histogram and instant of the grid: by how much the family's counter had grown since the last.
WITH
first_run AS (
    SELECT min(run_id) AS run_id, min(recorded_at_us) AS at_us FROM run WHERE outcome <> 'invariant'
),
-- What the first run found had happened before there was a collector: it is told when it happened.
found_first AS (
    SELECT
        least(coalesce(v.finished_at_us, v.ended_at_us, v.started_at_us), f.at_us) AS at_us, v.verdict, v.reason,
        CASE WHEN p.value IS NOT NULL OR v.provider IS NULL THEN coalesce(v.provider, '') ELSE 'other' END AS provider,
        CASE WHEN m.value IS NOT NULL OR v.model IS NULL THEN coalesce(v.model, '') ELSE 'other' END AS model,
        CASE WHEN s.value IS NOT NULL OR v.service IS NULL THEN coalesce(v.service, '') ELSE 'other' END AS service,
        coalesce(v.currency, '') AS currency,
        CASE WHEN v.verdict IN ('orphaned', 'cut_short') THEN coalesce(v.orphaned_nano, 0) ELSE 0 END AS nano
    FROM verdict AS v
    JOIN first_run AS f ON f.run_id = v.run_id
    LEFT JOIN label_value AS p ON p.label = 'provider' AND p.value = v.provider
    LEFT JOIN label_value AS m ON m.label = 'model' AND m.value = v.model
    LEFT JOIN label_value AS s ON s.label = 'service_name' AND s.value = v.service
    WHERE NOT v.retracted AND v.money_row AND v.verdict <> 'pending'
),
change AS (
    SELECT name, labels, recorded_at_us AS at_us, delta
    FROM counter_change
    WHERE name NOT IN ('recognized_spend_total', 'aborts_total')
        OR run_id IS DISTINCT FROM (SELECT run_id FROM first_run)
    UNION ALL
    SELECT 'recognized_spend_total', [provider, model, service, reason, currency], at_us, nano
    FROM found_first
    WHERE nano > 0
    UNION ALL
    SELECT 'aborts_total', [provider, model, service, reason, verdict], at_us, 1
    FROM found_first
)
SELECT
    CASE WHEN ends_with(name, '_bucket') THEN labels[:-2] ELSE labels END AS series,
    CASE WHEN ends_with(name, '_bucket') THEN labels[-1] END AS bound,
    (at_us + $step_us - 1) // $step_us * $step_us AS grid_us, sum(delta) AS delta
FROM change
WHERE name IN ($name, $name || '_bucket', $name || '_sum') AND at_us <= $end_us
GROUP BY series, bound, grid_us
ORDER BY series, grid_us, bound
