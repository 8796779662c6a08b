-- One row per currency, provider and model of what was lost in the week, the dearest first, $models_max of each currency.
SELECT
    currency, provider, model, count(*) AS aborts, coalesce(sum(orphaned_nano), 0)::HUGEINT AS lost_nano,
    coalesce(sum(avoidable_nano), 0)::HUGEINT AS avoidable_nano
FROM week_abort
WHERE is_lost AND currency IS NOT NULL
GROUP BY currency, provider, model
QUALIFY row_number() OVER (PARTITION BY currency ORDER BY lost_nano DESC, provider, model) <= $models_max
ORDER BY currency, lost_nano DESC, provider, model
