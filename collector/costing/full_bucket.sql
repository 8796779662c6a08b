-- One row per bucket in the touched periods: billed, logged after carrying, settled or not.
CREATE OR REPLACE TEMP TABLE full_bucket AS
WITH
moved AS (
    SELECT provider, account, model, usage_kind, price_class, currency, usage_start_us, -carried_micro AS micro
    FROM carry
    UNION ALL
    SELECT provider, account, model, usage_kind, price_class, currency, earlier_start_us, carried_micro
    FROM carry
),
net AS (
    SELECT provider, account, model, usage_kind, price_class, currency, usage_start_us, sum(micro) AS micro
    FROM moved
    GROUP BY ALL
),
carried AS (
    SELECT p.* EXCLUDE (logged_micro), p.logged_micro + coalesce(n.micro, 0) AS logged_micro
    FROM plain_bucket AS p
    LEFT JOIN net AS n
        ON n.provider = p.provider AND n.account = p.account AND n.model = p.model AND n.usage_kind = p.usage_kind
        AND n.price_class IS NOT DISTINCT FROM p.price_class AND n.currency = p.currency
        AND n.usage_start_us = p.usage_start_us
)
SELECT
    coalesce(t.is_context, false) AS is_context,
    row_number() OVER (
        ORDER BY c.usage_start_us, c.provider, c.account, c.model, c.usage_kind, c.price_class, c.currency,
            c.usage_end_us
    ) AS bucket_no,
    c.*,
    c.billed_nano >= 0 AND c.billed_micro > 0 AND c.usage_known AND c.model <> '' AS shareable,
    coalesce(o.settled, false) OR (
        c.billed_nano IS NOT NULL AND c.usage_end_us <= coalesce(w.log_at_us, 0)
        AND (
            (w.is_logged AND c.logged_micro > 0 AND c.billed_micro * 100 >= c.logged_micro * 98)
            OR coalesce(w.bill_at_us >= c.usage_end_us + $settle_after_us, false)
        )
    ) AS settled
FROM carried AS c
LEFT JOIN touched_period AS t
    ON t.provider = c.provider AND t.account = c.account AND t.model = c.model AND t.usage_kind = c.usage_kind
    AND t.usage_start_us = c.usage_start_us AND t.usage_end_us = c.usage_end_us
LEFT JOIN waiting_account AS w ON w.provider = c.provider AND w.account = c.account
LEFT JOIN bucket_current AS o
    ON o.provider = c.provider AND o.account = c.account AND o.model = c.model AND o.usage_kind = c.usage_kind
    AND o.price_class IS NOT DISTINCT FROM c.price_class AND o.currency IS NOT DISTINCT FROM c.currency
    AND o.usage_start_us = c.usage_start_us AND o.usage_end_us = c.usage_end_us
