-- One row per account of the bill, currency, service and part: what the settled buckets and billed verdicts hold now.
WITH
settled AS (
    SELECT * FROM bucket_current WHERE settled AND billed_nano IS NOT NULL
),
whole AS (
    SELECT provider, account, currency, 'billed' AS part, -billed_nano AS nano FROM settled
    UNION ALL SELECT provider, account, currency, 'delivered', delivered_nano FROM settled
    UNION ALL SELECT provider, account, currency, 'orphaned', orphaned_nano FROM settled
    UNION ALL SELECT provider, account, currency, 'cut_short', cut_short_nano FROM settled
    UNION ALL SELECT provider, account, currency, 'failed', failed_nano FROM settled
    UNION ALL SELECT provider, account, currency, 'unattributed', unattributed_nano FROM settled
),
served AS (
    SELECT
        provider, coalesce(account, '') AS account, currency, service, verdict AS part,
        CASE WHEN verdict = 'failed' THEN cost_nano ELSE orphaned_nano END AS nano
    FROM verdict_current
    WHERE money_row AND basis = 'billed' AND service <> '' AND verdict IN ('orphaned', 'cut_short', 'failed')
),
held AS (
    SELECT provider, account, currency, NULL AS service, part, nano FROM whole
    UNION ALL SELECT provider, account, currency, service, part, nano FROM served
    UNION ALL SELECT provider, account, currency, NULL, part, -nano FROM served
)
SELECT provider, account, currency, service, part, sum(nano) AS nano
FROM held
GROUP BY ALL
HAVING sum(nano) <> 0
ORDER BY provider, account, currency, service NULLS FIRST, part
