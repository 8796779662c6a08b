-- One row per window, service and currency: what was lost on attempts that a later one superseded.
WITH
win AS (
    SELECT unnest($spans) AS span, unnest($froms_us) AS from_us
),
-- Only the outermost observer's row carries money, so that no attempt is counted twice.
paid AS (
    SELECT
        CASE WHEN a.value IS NOT NULL OR v.service IS NULL THEN coalesce(v.service, '') ELSE 'other' END AS service,
        v.currency, v.orphaned_nano, coalesce(v.finished_at_us, v.ended_at_us, v.started_at_us) AS at_us
    FROM verdict_current AS v
    JOIN retry_current AS r ON r.suspect_no = v.suspect_no
    LEFT JOIN label_value AS a ON a.label = 'service_name' AND a.value = v.service
    WHERE v.money_row AND v.verdict IN ('orphaned', 'cut_short') AND v.currency IS NOT NULL
        AND coalesce(v.finished_at_us, v.ended_at_us, v.started_at_us) > $oldest_us
        AND coalesce(v.finished_at_us, v.ended_at_us, v.started_at_us) <= $now_us
)
SELECT
    w.span, p.service, p.currency, coalesce(sum(p.orphaned_nano) FILTER (p.at_us > w.from_us), 0) AS nano
FROM win AS w
CROSS JOIN paid AS p
GROUP BY w.span, p.service, p.currency
ORDER BY p.currency, p.service, w.span
