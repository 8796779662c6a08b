-- One row per bucket, its logged usage beside what was billed; before anything is carried between periods.
CREATE OR REPLACE TEMP TABLE plain_bucket AS
WITH
logged AS (
    SELECT
        l.provider, l.account, l.model, l.usage_kind, CASE WHEN r.apart THEN l.price_class END AS price_class,
        l.usage_start_us, l.usage_end_us, sum(l.logged_micro) AS logged_micro
    FROM log_bucket AS l
    JOIN class_rule AS r USING (provider, account, model, usage_kind, usage_start_us, usage_end_us)
    GROUP BY ALL
),
billed AS (
    SELECT
        b.provider, b.account, b.model, b.usage_kind, CASE WHEN r.apart THEN b.price_class END AS price_class,
        b.currency, b.usage_start_us, b.usage_end_us, sum(b.billed_micro) AS billed_micro,
        sum(b.billed_nano) AS billed_nano, bool_and(b.usage_known) AS usage_known,
        -- where classes of different price are merged, the dearest and the cheapest unit bound every share
        CASE WHEN count(*) > 1 THEN min(b.billed_nano * 1000000 // nullif(b.billed_micro, 0)) END AS unit_low_nano,
        CASE WHEN count(*) > 1 THEN max(b.billed_nano * 1000000 // nullif(b.billed_micro, 0)) END AS unit_high_nano
    FROM bill_bucket AS b
    JOIN class_rule AS r USING (provider, account, model, usage_kind, usage_start_us, usage_end_us)
    GROUP BY ALL
),
-- An account is billed in one currency; should two stand side by side, the log's usage goes to the larger one.
ranked AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY provider, account, model, usage_kind, price_class, usage_start_us, usage_end_us
            ORDER BY billed_micro DESC, currency
        ) AS currency_rank
    FROM billed
)
SELECT
    coalesce(b.provider, l.provider) AS provider, coalesce(b.account, l.account) AS account,
    coalesce(b.model, l.model) AS model, coalesce(b.usage_kind, l.usage_kind) AS usage_kind,
    CASE WHEN b.provider IS NULL THEN l.price_class ELSE b.price_class END AS price_class, b.currency,
    coalesce(b.usage_start_us, l.usage_start_us) AS usage_start_us,
    coalesce(b.usage_end_us, l.usage_end_us) AS usage_end_us, b.billed_micro, b.billed_nano, b.usage_known,
    b.unit_low_nano, b.unit_high_nano,
    coalesce(l.logged_micro, 0) AS logged_micro
FROM ranked AS b
FULL OUTER JOIN logged AS l
    ON l.provider = b.provider AND l.account = b.account AND l.model = b.model AND l.usage_kind = b.usage_kind
    AND l.price_class IS NOT DISTINCT FROM b.price_class AND l.usage_start_us = b.usage_start_us
    AND l.usage_end_us = b.usage_end_us AND b.currency_rank = 1
