-- One row per share of a bucket that is drawn again.
DELETE FROM bucket_share
WHERE usage_start_us >= (SELECT min(usage_start_us) FROM touched_period WHERE NOT is_context)
    AND usage_start_us <= (SELECT max(usage_start_us) FROM touched_period WHERE NOT is_context)
    AND (provider, account, model, usage_kind, usage_start_us, usage_end_us) IN (
        SELECT (provider, account, model, usage_kind, usage_start_us, usage_end_us) FROM touched_period WHERE NOT is_context
    )
