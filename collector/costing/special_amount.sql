-- One row per wanted special completion: its cost and the lost part of it, billed where all of it is settled.
CREATE OR REPLACE TEMP TABLE special_amount AS
WITH
extent AS (SELECT min(finished_at_us) AS from_us, max(finished_at_us) AS to_us FROM special_wanted),
wanted AS (
    SELECT s.* FROM special AS s
    SEMI JOIN special_wanted AS w
        ON w.provider = s.provider AND w.account = s.account AND w.completion_id = s.completion_id
        AND w.finished_at_us = s.finished_at_us
    WHERE s.finished_at_us BETWEEN (SELECT from_us FROM extent) AND (SELECT to_us FROM extent)
),
estimate AS (
    SELECT
        provider, account, completion_id, finished_at_us, sum(units) * 1000000 AS used_micro,
        bool_and(nano_per_million IS NOT NULL) AS priced, any_value(currency) AS currency,
        count(DISTINCT currency) AS currencies
    FROM special_leaf
    GROUP BY ALL
),
share AS (
    SELECT b.*
    FROM bucket_share AS b
    SEMI JOIN wanted AS w
        ON w.provider = b.provider AND w.account = b.account AND w.completion_id = b.completion_id
        AND w.finished_at_us = b.finished_at_us
    WHERE b.finished_at_us BETWEEN (SELECT from_us FROM extent) AND (SELECT to_us FROM extent)
),
covered AS (
    SELECT provider, account, completion_id, finished_at_us, sum(usage_micro) AS shared_micro,
        any_value(currency) AS currency, count(DISTINCT currency) AS currencies, bool_or(under_billed) AS under_billed
    FROM share
    GROUP BY ALL
),
amount AS (
    SELECT provider, account, completion_id, finished_at_us, usage_kind, 'billed' AS basis,
        share_nano AS best_nano, share_low_nano AS low_nano, share_high_nano AS high_nano
    FROM share
    UNION ALL
    SELECT provider, account, completion_id, finished_at_us, usage_kind, 'estimated', estimated_nano,
        estimated_nano, estimated_nano
    FROM special_leaf
),
lost AS (
    SELECT
        a.provider, a.account, a.completion_id, a.finished_at_us, a.basis,
        sum(a.best_nano) AS cost_nano,
        sum(CASE WHEN w.lost_part = w.lost_whole THEN a.best_nano
            WHEN a.usage_kind IN ('input', 'cached_input') THEN 0
            ELSE share_of(a.best_nano, w.lost_part, w.lost_whole) END) AS best_nano,
        sum(CASE WHEN w.low_part = w.lost_whole THEN a.low_nano
            WHEN a.usage_kind IN ('input', 'cached_input') THEN 0
            ELSE share_of(a.low_nano, w.low_part, w.lost_whole) END) AS low_nano,
        -- an assumed completion may have made more than is assumed: its high part can exceed the whole
        sum(CASE WHEN w.high_part = w.lost_whole THEN a.high_nano
            WHEN a.usage_kind IN ('input', 'cached_input') THEN CASE WHEN w.high_part > w.lost_whole THEN a.high_nano ELSE 0 END
            ELSE share_of(a.high_nano, w.high_part, w.lost_whole) END) AS high_nano,
        sum(CASE WHEN a.usage_kind IN ('input', 'cached_input') THEN 0
            WHEN w.avoid_part IS NULL OR w.avoid_whole IS NULL THEN NULL
            ELSE share_of(a.best_nano, w.avoid_part, w.avoid_whole) END) AS after_nano
    FROM amount AS a
    JOIN wanted AS w
        ON w.provider = a.provider AND w.account = a.account AND w.completion_id = a.completion_id
        AND w.finished_at_us = a.finished_at_us
    GROUP BY ALL
)
SELECT
    w.provider, w.account, w.completion_id, w.finished_at_us, w.verdict, w.disputed, w.billed AS is_billed,
    w.avoid_part IS NOT NULL AS abort_known,
    e.used_micro, e.priced,
    -- an amount is billed only when all of its completion's buckets are settled
    coalesce(c.shared_micro = e.used_micro AND c.currencies = 1, false) AS is_settled,
    CASE WHEN coalesce(c.shared_micro = e.used_micro AND c.currencies = 1, false) THEN c.currency ELSE e.currency END
        AS currency,
    b.cost_nano AS billed_cost_nano, b.best_nano AS billed_best_nano, b.low_nano AS billed_low_nano,
    CASE WHEN c.under_billed AND e.priced THEN greatest(b.high_nano, g.high_nano) ELSE b.high_nano END
        AS billed_high_nano,
    b.after_nano AS billed_after_nano,
    CASE WHEN e.priced AND e.currencies = 1 THEN g.cost_nano END AS estimated_cost_nano,
    CASE WHEN e.priced AND e.currencies = 1 THEN g.best_nano END AS estimated_best_nano,
    CASE WHEN e.priced AND e.currencies = 1 THEN g.low_nano END AS estimated_low_nano,
    CASE WHEN e.priced AND e.currencies = 1 THEN g.high_nano END AS estimated_high_nano,
    CASE WHEN e.priced AND e.currencies = 1 THEN g.after_nano END AS estimated_after_nano
FROM wanted AS w
LEFT JOIN estimate AS e USING (provider, account, completion_id, finished_at_us)
LEFT JOIN covered AS c USING (provider, account, completion_id, finished_at_us)
LEFT JOIN lost AS b
    ON b.provider = w.provider AND b.account = w.account AND b.completion_id = w.completion_id
    AND b.finished_at_us = w.finished_at_us AND b.basis = 'billed'
LEFT JOIN lost AS g
    ON g.provider = w.provider AND g.account = w.account AND g.completion_id = w.completion_id
    AND g.finished_at_us = w.finished_at_us AND g.basis = 'estimated'
