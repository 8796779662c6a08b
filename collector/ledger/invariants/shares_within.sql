-- One row per changed bucket of a cost of 0 or more in which a part is below 0.
SELECT provider, account, model, usage_kind, usage_start_us
FROM bucket_changed
WHERE NOT retracted AND billed_nano >= 0
    AND least(delivered_nano, orphaned_nano, cut_short_nano, failed_nano, unattributed_nano) < 0
