-- One row per provider and currency: the last 30 settled days, as billed and as estimated.
WITH last_day AS (
    SELECT max(usage_end_us) AS to_us FROM bucket_current WHERE settled
)
SELECT
    provider, currency, sum(billed_nano - unattributed_nano) AS billed_nano, sum(estimated_nano) AS estimated_nano
FROM bucket_current
WHERE settled AND currency IS NOT NULL AND model <> '' AND estimated_nano IS NOT NULL AND billed_nano IS NOT NULL
    AND usage_start_us >= (SELECT to_us FROM last_day) - 2592000000000
GROUP BY provider, currency
ORDER BY provider, currency
