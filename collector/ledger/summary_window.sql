-- One row per window and currency: what was lost in it (after from_us, up to to_us), with bounds, and what all inference cost.
WITH
win AS (
    SELECT unnest($spans) AS span, unnest($froms_us) AS from_us, unnest($tos_us) AS to_us
),
-- Between two edges of windows nothing differs, so that each abort is added up once.
edge AS (
    SELECT from_us AS at_us FROM win
    UNION
    SELECT to_us FROM win
),
piece AS (
    SELECT at_us AS from_us, lead(at_us) OVER (ORDER BY at_us) AS to_us FROM edge
),
piece_lost AS (
    SELECT
        p.from_us, p.to_us, v.currency,
        sum(CASE WHEN v.verdict IN ('orphaned', 'cut_short') THEN v.orphaned_nano ELSE 0 END) AS best_nano,
        -- what policies, prices and shares of time leave open is common to all rows, and adds up
        sum(CASE WHEN v.verdict IN ('orphaned', 'cut_short') AND (v.evidence <> 'probable' OR v.match_probability >= 0.95)
            THEN v.orphaned_nano - v.orphaned_low_nano ELSE 0 END) AS below_nano,
        sum(CASE WHEN v.evidence <> 'probable' OR v.match_probability >= 0.95
            THEN v.orphaned_high_nano - coalesce(v.orphaned_nano, 0) ELSE 0 END) AS above_nano,
        sum(CASE WHEN v.evidence = 'probable'
            THEN (1 - v.match_probability) * (v.orphaned_high_nano::DOUBLE ** 2 + v.orphaned_nano::DOUBLE ** 2)
            ELSE 0 END) AS squares,
        sum(CASE WHEN v.verdict IN ('orphaned', 'cut_short') THEN v.avoidable_nano ELSE 0 END) AS avoidable_nano
    FROM verdict_current AS v
    JOIN piece AS p
        ON coalesce(v.finished_at_us, v.ended_at_us, v.started_at_us) > p.from_us
        AND coalesce(v.finished_at_us, v.ended_at_us, v.started_at_us) <= p.to_us
    WHERE v.currency IS NOT NULL
        AND coalesce(v.finished_at_us, v.ended_at_us, v.started_at_us) > $oldest_us
    GROUP BY ALL
),
lost AS (
    SELECT
        w.span, p.currency, sum(p.best_nano) AS best_nano, sum(p.below_nano) AS below_nano,
        sum(p.above_nano) AS above_nano, sum(p.avoidable_nano) AS avoidable_nano,
        -- errors of matching are independent between attempts: their squares add up
        1.645 * sqrt(sum(p.squares)) AS spread_nano
    FROM win AS w
    JOIN piece_lost AS p ON p.from_us >= w.from_us AND p.to_us <= w.to_us
    GROUP BY ALL
),
-- An unmatched abort may have cost what its buckets hold unattributed, and no more.
unmatched AS (
    SELECT DISTINCT w.span, v.provider, v.account, v.model,
        v.started_at_us // 3600000000 * 3600000000 AS from_us,
        (coalesce(v.ended_at_us, v.started_at_us) + $horizon_us) // 3600000000 * 3600000000 + 3600000000 AS to_us
    FROM verdict_current AS v
    JOIN win AS w ON v.started_at_us > w.from_us AND v.started_at_us <= w.to_us
    WHERE v.verdict IN ('unmatched', 'pending') AND v.started_at_us > $oldest_us
),
open_bucket AS (
    SELECT DISTINCT u.span, b.currency, b.provider, b.account, b.model, b.usage_kind, b.price_class,
        b.usage_start_us, b.usage_end_us, b.unattributed_nano
    FROM unmatched AS u
    JOIN bucket_current AS b
        ON b.provider = u.provider AND b.model = u.model AND (u.account IS NULL OR b.account = u.account)
        AND b.usage_start_us < u.to_us AND b.usage_end_us > u.from_us
    WHERE b.settled AND b.unattributed_nano > 0
),
cap AS (
    SELECT span, currency, sum(unattributed_nano) AS nano FROM open_bucket GROUP BY ALL
),
part AS (
    SELECT
        w.span, b.currency,
        sum(CASE WHEN b.settled THEN b.orphaned_nano ELSE coalesce(b.estimated_orphaned_nano, 0) END) AS orphaned,
        sum(CASE WHEN b.settled THEN b.cut_short_nano ELSE coalesce(b.estimated_cut_short_nano, 0) END) AS cut_short,
        sum(CASE WHEN b.settled THEN b.failed_nano ELSE coalesce(b.estimated_failed_nano, 0) END) AS failed,
        sum(CASE WHEN b.settled THEN b.unattributed_nano ELSE 0 END) AS unattributed,
        sum(CASE WHEN b.settled THEN b.delivered_nano ELSE coalesce(
            b.estimated_nano - coalesce(b.estimated_orphaned_nano, 0) - coalesce(b.estimated_cut_short_nano, 0)
            - coalesce(b.estimated_failed_nano, 0), 0) END) AS delivered
    FROM bucket_current AS b
    JOIN win AS w
        -- a window opens just after from_us: one that opens with an hour does not take the hour before
        ON b.usage_start_us >= (w.from_us + 1) // 3600000000 * 3600000000 AND b.usage_start_us < w.to_us
    WHERE b.currency IS NOT NULL AND b.model <> '' AND b.usage_start_us > $oldest_us
    GROUP BY ALL
)
SELECT
    w.span, c.currency,
    greatest(coalesce(l.best_nano - l.below_nano - CAST(round(l.spread_nano) AS HUGEINT), 0), 0),
    coalesce(l.best_nano, 0),
    coalesce(l.best_nano + l.above_nano + CAST(round(l.spread_nano) AS HUGEINT), 0) + coalesce(k.nano, 0), coalesce(l.avoidable_nano, 0), coalesce(p.delivered, 0),
    coalesce(p.orphaned, 0), coalesce(p.cut_short, 0), coalesce(p.failed, 0), coalesce(p.unattributed, 0)
FROM win AS w
CROSS JOIN (SELECT currency FROM lost UNION SELECT currency FROM part UNION SELECT $currency) AS c
LEFT JOIN lost AS l ON l.span = w.span AND l.currency = c.currency
LEFT JOIN part AS p ON p.span = w.span AND p.currency = c.currency
LEFT JOIN cap AS k ON k.span = w.span AND k.currency = c.currency
ORDER BY c.currency, w.span
