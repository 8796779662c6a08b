-- One row per window, cause (as the metrics may name it), evidence, basis and currency: the best lost part; 0 where only a longer window has one.
CREATE OR REPLACE TEMP TABLE window_loss AS
WITH
win AS (
    SELECT unnest($spans) AS span, unnest($froms_us) AS from_us
),
loss AS (
    SELECT
        CASE WHEN p.value IS NOT NULL OR v.provider IS NULL THEN coalesce(v.provider, '') ELSE 'other' END AS provider,
        CASE WHEN m.value IS NOT NULL OR v.model IS NULL THEN coalesce(v.model, '') ELSE 'other' END AS model,
        CASE WHEN s.value IS NOT NULL OR v.service IS NULL THEN coalesce(v.service, '') ELSE 'other' END AS service,
        v.reason, v.evidence, v.basis, v.currency, v.orphaned_nano,
        coalesce(v.finished_at_us, v.ended_at_us, v.started_at_us) AS at_us
    FROM verdict_current AS v
    LEFT JOIN label_value AS p ON p.label = 'provider' AND p.value = v.provider
    LEFT JOIN label_value AS m ON m.label = 'model' AND m.value = v.model
    LEFT JOIN label_value AS s ON s.label = 'service_name' AND s.value = v.service
    WHERE v.money_row AND v.verdict IN ('orphaned', 'cut_short') AND v.currency IS NOT NULL
        AND v.orphaned_nano IS NOT NULL
)
SELECT
    w.span, l.provider, l.model, l.service, l.reason, l.evidence, l.basis, l.currency,
    coalesce(sum(l.orphaned_nano) FILTER (l.at_us > w.from_us), 0) AS nano
FROM win AS w
CROSS JOIN loss AS l
WHERE l.at_us > $oldest_us AND l.at_us <= $now_us
GROUP BY ALL
