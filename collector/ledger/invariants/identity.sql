-- One row per changed bucket with a bill whose parts do not add up to what was billed.
SELECT provider, account, model, usage_kind, usage_start_us, billed_nano,
    delivered_nano + orphaned_nano + cut_short_nano + failed_nano + unattributed_nano AS parts_nano
FROM bucket_changed
WHERE NOT retracted AND billed_nano IS NOT NULL
    AND billed_nano IS DISTINCT FROM
        delivered_nano + orphaned_nano + cut_short_nano + failed_nano + unattributed_nano
