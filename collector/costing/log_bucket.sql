-- One row per charge period, usage kind and price class: what the logs say was used, before anything is carried.
CREATE OR REPLACE TEMP TABLE log_bucket AS
SELECT
    u.provider, u.account, u.model, u.usage_kind, u.price_class, p.usage_start_us, p.usage_end_us,
    sum(u.units) * 1000000 AS logged_micro
FROM slot_usage AS u
JOIN slot_period AS p
    ON p.provider = u.provider AND p.account = u.account AND p.model = u.model AND p.usage_kind = u.usage_kind
    AND p.slot_at_us = u.slot_at_us
GROUP BY ALL
