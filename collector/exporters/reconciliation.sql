-- One row per bucket, in the words of `orphaned export reconciliation`; a row of no known model has no usage.
SELECT
    instant_text(usage_start_us) AS usage_start, instant_text(usage_end_us) AS usage_end,
    nullif(provider, '') AS provider, nullif(account, '') AS account, nullif(model, '') AS model,
    nullif(usage_kind, '') AS usage, nullif(price_class, '') AS price_class,
    -- the lines of no known model are counted in many units: bytes, hours, characters
    CASE WHEN model <> '' THEN usage_text(billed_micro) END AS billed_usage,
    CASE WHEN model <> '' THEN usage_text(logged_micro) END AS logged_usage,
    amount_text(billed_nano) AS billed_cost, amount_text(delivered_nano) AS delivered_cost,
    amount_text(orphaned_nano) AS orphaned_cost, amount_text(cut_short_nano) AS cut_short_cost,
    amount_text(failed_nano) AS failed_cost, amount_text(unattributed_nano) AS unattributed_cost,
    amount_text(estimated_nano) AS estimated_cost, currency, settled
FROM (
    SELECT * FROM bucket_current
    WHERE usage_start_us >= $from_us AND usage_start_us < $to_us
    ORDER BY
        usage_start_us, usage_end_us, provider, account, model, usage_kind, price_class NULLS FIRST,
        currency NULLS FIRST
)
