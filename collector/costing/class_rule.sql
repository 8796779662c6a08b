-- One row per charge period and usage kind: whether log and bill agree well enough on price classes to keep them.
CREATE OR REPLACE TEMP TABLE class_rule AS
WITH
logged AS (
    SELECT
        provider, account, model, usage_kind, usage_start_us, usage_end_us,
        bool_or(price_class IS NULL) AS log_unknown
    FROM log_bucket
    GROUP BY ALL
),
billed AS (
    SELECT
        provider, account, model, usage_kind, usage_start_us, usage_end_us,
        bool_or(price_class IS NULL) AS bill_unknown
    FROM bill_bucket
    GROUP BY ALL
)
SELECT
    provider, account, model, usage_kind, usage_start_us, usage_end_us,
    -- classes stand apart unless a side that has rows leaves the class of some of them unknown
    coalesce(NOT l.log_unknown AND NOT b.bill_unknown, true) AS apart
FROM logged AS l
FULL OUTER JOIN billed AS b
    USING (provider, account, model, usage_kind, usage_start_us, usage_end_us)
