-- One row per model and usage kind that was used and has no price, said once.
INSERT INTO problem
WITH unpriced AS (
    SELECT DISTINCT l.provider, l.model, l.usage_kind FROM special_leaf AS l WHERE l.nano_per_million IS NULL
    UNION
    SELECT DISTINCT e.provider, e.model, e.usage_kind FROM bucket_estimate AS e WHERE e.estimated_nano IS NULL
),
said AS (
    SELECT 'prices' AS source, provider || ' ' || model || ' ' || usage_kind AS place FROM unpriced
)
SELECT
    source, 'no price', place,
    'used, but neither the config nor the price book has a dated price for it: its cost is unknown until the '
    || 'bill settles. Add it under "prices"', $now_us, '', $run_id
FROM said
WHERE place NOT IN (SELECT place FROM problem WHERE kind = 'no price')
ORDER BY place
