-- One row per dated unit price that a run used and the ledger did not know.
INSERT INTO price
SELECT DISTINCT
    CASE WHEN origin = 'config' THEN 1 ELSE 2 END, provider, model, usage_kind, nullif(price_class, ''), currency,
    from_us, input_tokens_above, nano_per_million, origin, $run_id
FROM price_effective AS e
WHERE NOT EXISTS (
    SELECT 1 FROM price AS p
    WHERE p.provider = e.provider AND p.model = e.model AND p.usage_kind = e.usage_kind
        AND coalesce(p.price_class, '') = e.price_class AND p.currency = e.currency AND p.from_us = e.from_us
        AND p.input_tokens_above = e.input_tokens_above AND p.nano_per_million = e.nano_per_million
        AND p.origin = e.origin
)
ORDER BY ALL
