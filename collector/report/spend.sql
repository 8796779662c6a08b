-- One row per day (UTC), who and why of what was lost in the week, in FOCUS's columns; x_ are ours.
WITH lost AS (
    SELECT *, at_us // 86400000000 * 86400000000 AS day_us
    FROM week_abort
    WHERE is_lost
)
SELECT
    CASE WHEN basis = 'billed' THEN amount_text(sum(orphaned_nano)::HUGEINT) END AS "BilledCost",
    currency AS "BillingCurrency",
    'Usage' AS "ChargeCategory",
    'Inference whose result reached nobody: ' || reason || ', ' || verdict AS "ChargeDescription",
    'Usage-Based' AS "ChargeFrequency",
    instant_text(day_us + 86400000000)[:19] || 'Z' AS "ChargePeriodEnd",
    instant_text(day_us)[:19] || 'Z' AS "ChargePeriodStart",
    count(*) AS "ConsumedQuantity",
    'Requests' AS "ConsumedUnit",
    amount_text(sum(orphaned_nano)::HUGEINT) AS "EffectiveCost",
    cell_text(nullif(provider, '')) AS "ProviderName",
    'AI and Machine Learning' AS "ServiceCategory",
    cell_text(account) AS "SubAccountId",
    amount_text(sum(avoidable_nano)::HUGEINT) AS "x_AvoidableCost",
    basis AS "x_Basis",
    amount_text(sum(orphaned_high_nano)::HUGEINT) AS "x_EffectiveCostHigh",
    amount_text(sum(orphaned_low_nano)::HUGEINT) AS "x_EffectiveCostLow",
    evidence AS "x_Evidence",
    cell_text(nullif(model, '')) AS "x_Model",
    reason AS "x_Reason",
    cell_text(nullif(service, '')) AS "x_Service",
    count(*) FILTER (orphaned_nano IS NULL) AS "x_UnknownCostRequests",
    verdict AS "x_Verdict"
FROM lost
GROUP BY day_us, provider, account, model, service, reason, verdict, evidence, basis, currency
ORDER BY
    day_us, currency NULLS FIRST, provider, account NULLS FIRST, model, service, reason,
    verdict, evidence, basis NULLS FIRST
