-- One row per window, cause (as the metrics may name it), evidence, basis and currency: the best lost part; 0 where only a longer time has one.
CREATE OR REPLACE TEMP TABLE window_loss AS
WITH
-- The windows lie within each other, and all end now: each abort is added up in the shortest that holds it. A cause that
-- has just left the longest is kept for a while, so that it ends at 0.
shell AS (
    SELECT from_us, lag(from_us, 1, $now_us) OVER (ORDER BY from_us DESC) AS to_us
    FROM (SELECT unnest($froms_us) AS from_us UNION SELECT $oldest_us)
),
loss AS (
    SELECT
        h.from_us, v.provider, v.model, v.service, v.reason, v.evidence, v.basis, v.currency,
        sum(v.orphaned_nano) AS nano
    FROM verdict_current AS v
    JOIN shell AS h
        ON coalesce(v.finished_at_us, v.ended_at_us, v.started_at_us) > h.from_us
        AND coalesce(v.finished_at_us, v.ended_at_us, v.started_at_us) <= h.to_us
    WHERE v.money_row AND v.verdict IN ('orphaned', 'cut_short') AND v.currency IS NOT NULL
        AND v.orphaned_nano IS NOT NULL
    GROUP BY ALL
),
labelled AS (
    SELECT
        CASE WHEN p.value IS NOT NULL OR l.provider IS NULL THEN coalesce(l.provider, '') ELSE 'other' END AS provider,
        CASE WHEN m.value IS NOT NULL OR l.model IS NULL THEN coalesce(l.model, '') ELSE 'other' END AS model,
        CASE WHEN s.value IS NOT NULL OR l.service IS NULL THEN coalesce(l.service, '') ELSE 'other' END AS service,
        l.reason, l.evidence, l.basis, l.currency, l.from_us, l.nano
    FROM loss AS l
    LEFT JOIN label_value AS p ON p.label = 'provider' AND p.value = l.provider
    LEFT JOIN label_value AS m ON m.label = 'model' AND m.value = l.model
    LEFT JOIN label_value AS s ON s.label = 'service_name' AND s.value = l.service
)
SELECT
    w.span, l.provider, l.model, l.service, l.reason, l.evidence, l.basis, l.currency,
    coalesce(sum(l.nano) FILTER (l.from_us >= w.from_us), 0) AS nano
FROM (SELECT unnest($spans) AS span, unnest($froms_us) AS from_us) AS w
CROSS JOIN labelled AS l
GROUP BY ALL
