-- One row per bucket with more logged than billed whose earlier neighbour has the reverse, and by how much.
CREATE OR REPLACE TEMP TABLE carry_border AS
SELECT
    p.provider, p.account, p.model, p.usage_kind, p.price_class, p.currency, p.usage_start_us, p.usage_end_us,
    q.usage_start_us AS earlier_start_us, q.usage_end_us AS earlier_end_us,
    least(p.logged_micro - p.billed_micro, q.billed_micro - q.logged_micro) AS wanted_micro
FROM plain_bucket AS p
JOIN plain_bucket AS q
    ON q.provider = p.provider AND q.account = p.account AND q.model = p.model AND q.usage_kind = p.usage_kind
    AND q.price_class IS NOT DISTINCT FROM p.price_class AND q.currency = p.currency
    AND q.usage_end_us = p.usage_start_us
WHERE p.logged_micro > p.billed_micro AND q.billed_micro > q.logged_micro AND p.usage_known AND q.usage_known
    AND p.model <> ''
