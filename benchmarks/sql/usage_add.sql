-- One row per hour, account, model and usage kind of the slice: the units that the provider will bill.
INSERT INTO usage
SELECT finished_at_us // 3600000000 * 3600000000 AS hour_us, account, model, kind, sum(units) AS units
FROM (
    SELECT
        finished_at_us, account, model,
        unnest([
            {'kind': 'input', 'units': input_tokens - cached_tokens}, {'kind': 'cached_input', 'units': cached_tokens},
            {'kind': 'output', 'units': output_tokens}, {'kind': 'thinking', 'units': thinking_tokens}
        ], recursive := true)
    FROM call
)
WHERE units > 0
GROUP BY ALL
