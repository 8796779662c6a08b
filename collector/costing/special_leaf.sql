-- One row per wanted special completion and usage kind in which it used anything, with its estimate.
CREATE OR REPLACE TEMP TABLE special_leaf AS
WITH
extent AS (SELECT min(finished_at_us) AS from_us, max(finished_at_us) AS to_us FROM special_wanted),
wanted AS (
    SELECT w.special_no, s.*, coalesce(a.currency, $currency) AS wanted_currency,
        coalesce(s.input_tokens, 0) + coalesce(s.cached_input_tokens, 0) AS whole_input
    FROM special AS s
    JOIN special_wanted AS w
        ON w.provider = s.provider AND w.account = s.account AND w.completion_id = s.completion_id
        AND w.finished_at_us = s.finished_at_us
    LEFT JOIN account_currency AS a ON a.provider = s.provider AND a.account = s.account
    WHERE s.finished_at_us BETWEEN (SELECT from_us FROM extent) AND (SELECT to_us FROM extent)
),
leaf AS (
    SELECT
        special_no, provider, model, price_class, wanted_currency, whole_input, finished_at_us,
        unnest([
            {'kind': 'input', 'units': input_tokens}, {'kind': 'cached_input', 'units': cached_input_tokens},
            {'kind': 'output', 'units': output_tokens}, {'kind': 'thinking', 'units': thinking_tokens},
            {'kind': 'image', 'units': images}
        ], recursive := true)
    FROM wanted
)
SELECT
    l.special_no, l.provider, l.model, l.kind AS usage_kind, l.finished_at_us, l.units, p.currency, p.nano_per_million,
    share_of(l.units, p.nano_per_million, 1000000) AS estimated_nano
FROM leaf AS l
LEFT JOIN price_effective AS p
    ON p.provider = l.provider AND p.model = l.model AND p.usage_kind = l.kind
    AND p.price_class = coalesce(l.price_class, '') AND p.wanted_currency = l.wanted_currency
    AND p.from_us <= l.finished_at_us
    AND (p.input_tokens_above = 0 OR l.whole_input > p.input_tokens_above)
WHERE l.units > 0
QUALIFY row_number() OVER (
    PARTITION BY l.special_no, l.kind
    ORDER BY p.from_us DESC NULLS LAST, p.input_tokens_above DESC
) = 1
