-- One row per currency and kind of bucket (settled, open, other) of the week's charge periods: what the bill says of it.
SELECT
    coalesce(currency, '') AS currency,
    CASE WHEN model = '' THEN 'other' WHEN settled THEN 'settled' ELSE 'open' END AS state,
    count(*) AS buckets,
    count(*) FILTER (billed_nano IS NOT NULL) AS with_bill,
    count(*) FILTER (estimated_nano IS NULL) AS without_estimate,
    coalesce(sum(billed_nano), 0)::HUGEINT AS billed_nano,
    coalesce(sum(delivered_nano), 0)::HUGEINT AS delivered_nano,
    coalesce(sum(orphaned_nano), 0)::HUGEINT AS orphaned_nano,
    coalesce(sum(cut_short_nano), 0)::HUGEINT AS cut_short_nano,
    coalesce(sum(failed_nano), 0)::HUGEINT AS failed_nano,
    coalesce(sum(unattributed_nano), 0)::HUGEINT AS unattributed_nano,
    coalesce(sum(estimated_nano), 0)::HUGEINT AS estimated_nano,
    -- what the price book is held against: only where both are known
    coalesce(sum(billed_nano - unattributed_nano) FILTER (settled AND estimated_nano IS NOT NULL), 0)::HUGEINT
        AS compared_billed_nano,
    coalesce(sum(estimated_nano) FILTER (settled AND estimated_nano IS NOT NULL), 0)::HUGEINT
        AS compared_estimated_nano
FROM bucket_current
WHERE usage_start_us >= $start_us AND usage_start_us < $end_us
GROUP BY ALL
ORDER BY currency, state
