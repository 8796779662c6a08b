-- One row per bucket of the bill in the touched periods: what was billed in it so far.
CREATE OR REPLACE TEMP TABLE bill_bucket AS
WITH period AS (SELECT DISTINCT * EXCLUDE (is_context) FROM touched_period)
SELECT
    l.provider, l.account, l.model, l.usage_kind, l.price_class, l.currency, l.usage_start_us, l.usage_end_us,
    sum(l.usage_micro) AS billed_micro,
    sum(l.cost_nano::HUGEINT + CASE WHEN $with_credits THEN l.credit_nano ELSE 0 END) AS billed_nano,
    bool_and(l.usage_known) AS usage_known
FROM bill_line AS l
JOIN period AS p
    ON p.provider = l.provider AND p.account = l.account AND p.model = l.model AND p.usage_kind = l.usage_kind
    AND p.usage_start_us = l.usage_start_us AND p.usage_end_us = l.usage_end_us
WHERE l.usage_start_us >= (SELECT min(usage_start_us) FROM period)
    AND l.usage_start_us <= (SELECT max(usage_start_us) FROM period)
GROUP BY ALL
