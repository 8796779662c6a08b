-- One row per bucket in the touched periods, as it now stands.
CREATE OR REPLACE TEMP TABLE bucket_drawn AS
WITH
split AS (
    SELECT
        bucket_no,
        sum(lost_nano) FILTER (verdict = 'orphaned') AS orphaned_nano,
        sum(lost_nano) FILTER (verdict = 'cut_short') AS cut_short_nano,
        sum(share_nano) FILTER (verdict = 'failed') AS failed_nano,
        sum(share_nano) FILTER (verdict = 'unattributed') AS unattributed_nano,
        sum(share_nano - lost_nano) FILTER (verdict NOT IN ('failed', 'unattributed')) AS delivered_nano
    FROM share_lost
    GROUP BY bucket_no
),
-- What the special completions of a bucket would cost at the dated prices, by what became of them.
leaf AS (
    SELECT
        u.bucket_no, u.verdict, u.lost_part, u.lost_whole, u.usage_kind,
        share_of(sum(l.estimated_nano), u.micro, u.all_micro) AS estimated_nano
    FROM special_use AS u
    JOIN special_wanted AS w
        ON w.provider = u.provider AND w.account = u.account AND w.completion_id = u.completion_id
        AND w.finished_at_us = u.finished_at_us
    JOIN special_leaf AS l
        ON l.special_no = w.special_no
        AND u.usage_kind = CASE
            WHEN l.usage_kind = 'thinking' AND NOT u.thinking_apart THEN 'output' ELSE l.usage_kind
        END
    GROUP BY u.bucket_no, w.special_no, u.verdict, u.lost_part, u.lost_whole, u.usage_kind, u.micro, u.all_micro
),
estimated_split AS (
    SELECT
        bucket_no,
        sum(CASE WHEN verdict <> 'orphaned' THEN 0 WHEN lost_part = lost_whole THEN estimated_nano
            WHEN usage_kind IN ('input', 'cached_input') THEN 0
            ELSE share_of(estimated_nano, lost_part, lost_whole) END) AS orphaned_nano,
        sum(CASE WHEN verdict <> 'cut_short' THEN 0 WHEN lost_part = lost_whole THEN estimated_nano
            WHEN usage_kind IN ('input', 'cached_input') THEN 0
            ELSE share_of(estimated_nano, lost_part, lost_whole) END) AS cut_short_nano,
        sum(CASE WHEN verdict = 'failed' THEN estimated_nano ELSE 0 END) AS failed_nano
    FROM leaf
    GROUP BY bucket_no
)
SELECT
    b.usage_start_us, b.usage_end_us, b.provider, b.account, b.model, b.usage_kind, b.price_class,
    coalesce(b.currency, e.currency) AS currency, b.billed_micro, b.logged_micro, b.billed_nano,
    CASE WHEN b.settled AND b.shareable THEN coalesce(s.delivered_nano, 0) WHEN b.billed_nano IS NOT NULL THEN 0 END
        AS delivered_nano,
    CASE WHEN b.settled AND b.shareable THEN coalesce(s.orphaned_nano, 0) WHEN b.billed_nano IS NOT NULL THEN 0 END
        AS orphaned_nano,
    CASE WHEN b.settled AND b.shareable THEN coalesce(s.cut_short_nano, 0) WHEN b.billed_nano IS NOT NULL THEN 0 END
        AS cut_short_nano,
    CASE WHEN b.settled AND b.shareable THEN coalesce(s.failed_nano, 0) WHEN b.billed_nano IS NOT NULL THEN 0 END
        AS failed_nano,
    CASE WHEN b.settled AND b.shareable THEN coalesce(s.unattributed_nano, 0) ELSE b.billed_nano END
        AS unattributed_nano,
    -- least() would pass over a NULL: a bucket without special completions would be all orphaned
    e.estimated_nano, least(coalesce(t.orphaned_nano, 0), e.estimated_nano) AS estimated_orphaned_nano,
    t.cut_short_nano AS estimated_cut_short_nano, t.failed_nano AS estimated_failed_nano, b.settled, b.bucket_no,
    b.shareable
FROM full_bucket AS b
LEFT JOIN split AS s ON s.bucket_no = b.bucket_no
LEFT JOIN bucket_estimate AS e
    ON e.provider = b.provider AND e.account = b.account AND e.model = b.model AND e.usage_kind = b.usage_kind
    AND e.price_class IS NOT DISTINCT FROM b.price_class AND e.usage_start_us = b.usage_start_us
    AND e.usage_end_us = b.usage_end_us AND b.logged_micro > 0
LEFT JOIN estimated_split AS t ON t.bucket_no = b.bucket_no
WHERE NOT b.is_context
