-- One row per provider and account: the instant up to which its bill is settled without a gap.
SELECT
    provider, account,
    coalesce(min(usage_start_us) FILTER (NOT settled), max(usage_end_us)) AS through_us
FROM bucket_current
WHERE billed_nano IS NOT NULL AND provider <> ''
GROUP BY provider, account
HAVING bool_or(settled)
ORDER BY provider, account
