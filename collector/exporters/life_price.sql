-- One row per usage kind of a completion: its units, and the dated price that holds for them.
WITH leaf AS (
    SELECT unnest([
        {'usage_kind': 'input', 'units': $input_tokens::BIGINT},
        {'usage_kind': 'cached_input', 'units': $cached_input_tokens::BIGINT},
        {'usage_kind': 'output', 'units': $output_tokens::BIGINT},
        {'usage_kind': 'thinking', 'units': $thinking_tokens::BIGINT},
        {'usage_kind': 'image', 'units': $images::BIGINT}
    ], recursive := true)
)
SELECT
    l.usage_kind, l.units, p.currency, p.price_class, p.nano_per_million, p.from_us, p.input_tokens_above,
    p.origin, share_of(l.units, p.nano_per_million, 1000000) AS estimated_nano
FROM leaf AS l
LEFT JOIN price AS p
    ON p.provider = $provider AND p.model = $model AND p.usage_kind = l.usage_kind
    AND coalesce(p.price_class, '') = coalesce($price_class, '') AND p.from_us <= $finished_at_us
    AND (p.input_tokens_above = 0
        OR coalesce($input_tokens, 0) + coalesce($cached_input_tokens, 0) > p.input_tokens_above)
WHERE l.units > 0
QUALIFY row_number() OVER (
    PARTITION BY l.usage_kind
    ORDER BY p.currency IS NOT DISTINCT FROM $currency DESC, p.rank, p.from_us DESC, p.input_tokens_above DESC,
        p.run_id DESC
) = 1
ORDER BY l.usage_kind
