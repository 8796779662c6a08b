-- One row: the bill as far as it is settled, in its five parts, and what stands beside it.
SELECT
    coalesce(sum(billed_nano) FILTER (settled AND model <> ''), 0) AS billed_nano,
    coalesce(sum(delivered_nano) FILTER (settled AND model <> ''), 0) AS delivered_nano,
    coalesce(sum(orphaned_nano) FILTER (settled AND model <> ''), 0) AS orphaned_nano,
    coalesce(sum(cut_short_nano) FILTER (settled AND model <> ''), 0) AS cut_short_nano,
    coalesce(sum(failed_nano) FILTER (settled AND model <> ''), 0) AS failed_nano,
    coalesce(sum(unattributed_nano) FILTER (settled AND model <> ''), 0) AS unattributed_nano,
    coalesce(sum(estimated_nano) FILTER (NOT settled AND model <> ''), 0) AS estimated_nano,
    coalesce(sum(billed_nano) FILTER (NOT settled AND model <> ''), 0) AS billed_so_far_nano,
    coalesce(sum(billed_nano) FILTER (model = ''), 0) AS other_nano,
    count(*) FILTER (settled AND model <> '') AS buckets
FROM bucket_current
