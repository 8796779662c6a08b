-- One row per bucket that stands more than once.
SELECT provider, account, model, usage_kind, price_class, currency, usage_start_us, usage_end_us, count(*) AS times
FROM bucket_drawn
GROUP BY provider, account, model, usage_kind, price_class, currency, usage_start_us, usage_end_us
HAVING count(*) > 1
