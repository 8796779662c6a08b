-- One row per usage kind and settled bucket: the completion's share of the bill, and what it is a share of.
SELECT
    s.usage_kind, s.price_class, s.currency, s.usage_start_us, s.usage_end_us, s.usage_micro, s.share_nano,
    s.share_low_nano, s.share_high_nano, b.billed_nano, b.billed_micro, b.logged_micro, b.settled
FROM bucket_share AS s
LEFT JOIN bucket_current AS b
    ON b.provider = s.provider AND b.account = s.account AND b.model = s.model AND b.usage_kind = s.usage_kind
    AND b.price_class IS NOT DISTINCT FROM s.price_class AND b.currency = s.currency
    AND b.usage_start_us = s.usage_start_us AND b.usage_end_us = s.usage_end_us
WHERE s.provider = $provider AND s.account = $account AND s.completion_id = $completion_id
    AND s.finished_at_us = $finished_at_us
ORDER BY s.usage_kind, s.usage_start_us
