-- One row per special completion, usage kind and settled bucket.
INSERT INTO bucket_share
SELECT
    l.provider, l.account, l.completion_id, l.finished_at_us, b.model, l.usage_kind, b.price_class, b.currency,
    b.usage_start_us, b.usage_end_us, l.micro, l.share_nano,
    least(l.share_nano, coalesce(l.micro * b.unit_low_nano // 1000000, l.share_nano)),
    greatest(l.share_nano, coalesce(l.micro * b.unit_high_nano // 1000000, l.share_nano)),
    b.billed_micro * 10 < b.logged_micro * 9
FROM share_lost AS l
JOIN full_bucket AS b ON b.bucket_no = l.bucket_no
WHERE l.part_rank = 1
ORDER BY l.finished_at_us, l.completion_id
