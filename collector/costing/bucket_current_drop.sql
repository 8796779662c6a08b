-- One row per bucket that has a new version.
DELETE FROM bucket_current AS b
WHERE EXISTS (
    SELECT 1 FROM bucket_changed AS c
    WHERE c.provider = b.provider AND c.account = b.account AND c.model = b.model AND c.usage_kind = b.usage_kind
        AND c.price_class IS NOT DISTINCT FROM b.price_class AND c.currency IS NOT DISTINCT FROM b.currency
        AND c.usage_start_us = b.usage_start_us AND c.usage_end_us = b.usage_end_us
)
