-- One row per wanted special completion: its cost and the lost part of it, billed where all of it is settled.
CREATE OR REPLACE TEMP TABLE special_amount AS
WITH
extent AS (SELECT min(finished_at_us) AS from_us, max(finished_at_us) AS to_us FROM special_wanted),
wanted AS MATERIALIZED (
    SELECT w.special_no, s.*
    FROM special AS s
    JOIN special_wanted AS w
        ON w.provider = s.provider AND w.account = s.account AND w.completion_id = s.completion_id
        AND w.finished_at_us = s.finished_at_us
    WHERE s.finished_at_us BETWEEN (SELECT from_us FROM extent) AND (SELECT to_us FROM extent)
),
amount AS (
    SELECT
        w.special_no, true AS by_bill, b.usage_kind, b.share_nano AS best_nano, b.share_low_nano AS low_nano,
        b.share_high_nano AS high_nano, b.usage_micro AS micro, b.currency, true AS priced, b.under_billed
    FROM bucket_share AS b
    JOIN wanted AS w
        ON w.provider = b.provider AND w.account = b.account AND w.completion_id = b.completion_id
        AND w.finished_at_us = b.finished_at_us
    WHERE b.finished_at_us BETWEEN (SELECT from_us FROM extent) AND (SELECT to_us FROM extent)
    UNION ALL
    SELECT
        special_no, false, usage_kind, estimated_nano, estimated_nano, estimated_nano, units * 1000000::HUGEINT,
        currency, nano_per_million IS NOT NULL, false
    FROM special_leaf
),
lost AS (
    SELECT
        a.special_no, a.by_bill, sum(a.micro) AS micro, bool_and(a.priced) AS priced,
        bool_or(a.under_billed) AS under_billed, min(a.currency) AS currency,
        coalesce(min(a.currency) = max(a.currency), false) AS one_currency,
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
    JOIN wanted AS w ON w.special_no = a.special_no
    GROUP BY a.special_no, a.by_bill
)
SELECT
    w.provider, w.account, w.completion_id, w.finished_at_us, w.verdict, w.disputed, w.billed AS is_billed,
    w.avoid_part IS NOT NULL AS abort_known,
    e.micro AS used_micro, e.priced,
    -- an amount is billed only when all of its completion's buckets are settled
    coalesce(b.micro = e.micro AND b.one_currency, false) AS is_settled,
    CASE WHEN is_settled THEN b.currency ELSE e.currency END AS currency,
    b.cost_nano AS billed_cost_nano, b.best_nano AS billed_best_nano, b.low_nano AS billed_low_nano,
    CASE WHEN b.under_billed AND e.priced THEN greatest(b.high_nano, e.high_nano) ELSE b.high_nano END
        AS billed_high_nano,
    b.after_nano AS billed_after_nano,
    CASE WHEN e.priced AND e.one_currency THEN e.cost_nano END AS estimated_cost_nano,
    CASE WHEN e.priced AND e.one_currency THEN e.best_nano END AS estimated_best_nano,
    CASE WHEN e.priced AND e.one_currency THEN e.low_nano END AS estimated_low_nano,
    CASE WHEN e.priced AND e.one_currency THEN e.high_nano END AS estimated_high_nano,
    CASE WHEN e.priced AND e.one_currency THEN e.after_nano END AS estimated_after_nano
FROM wanted AS w
LEFT JOIN lost AS b ON b.special_no = w.special_no AND b.by_bill
LEFT JOIN lost AS e ON e.special_no = w.special_no AND NOT e.by_bill
