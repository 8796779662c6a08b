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
-- Which price holds from when on and above which input: of those that fit, the latest, and of these the highest.
since AS (
    SELECT
        provider, model, usage_kind, price_class, wanted_currency, from_us,
        lead(from_us, 1, 9223372036854775807) OVER (
            PARTITION BY provider, model, usage_kind, price_class, wanted_currency ORDER BY from_us
        ) AS until_us
    FROM (SELECT DISTINCT provider, model, usage_kind, price_class, wanted_currency, from_us FROM price_effective)
),
level AS (
    SELECT
        provider, model, usage_kind, price_class, wanted_currency, nullif(input_tokens_above, 0) AS above,
        lead(input_tokens_above, 1, 9223372036854775807) OVER (
            PARTITION BY provider, model, usage_kind, price_class, wanted_currency ORDER BY input_tokens_above
        ) AS up_to
    FROM (
        SELECT DISTINCT provider, model, usage_kind, price_class, wanted_currency, input_tokens_above
        FROM price_effective
    )
),
rate AS (
    SELECT s.*, coalesce(l.above, -1) AS above, l.up_to, p.currency, p.nano_per_million
    FROM since AS s
    JOIN level AS l USING (provider, model, usage_kind, price_class, wanted_currency)
    JOIN price_effective AS p USING (provider, model, usage_kind, price_class, wanted_currency)
    WHERE p.from_us <= s.from_us AND p.input_tokens_above <= coalesce(l.above, 0)
    QUALIFY row_number() OVER (
        PARTITION BY provider, model, usage_kind, price_class, wanted_currency, s.from_us, l.above
        ORDER BY p.from_us DESC, p.input_tokens_above DESC
    ) = 1
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
LEFT JOIN rate AS p
    ON p.provider = l.provider AND p.model = l.model AND p.usage_kind = l.kind
    AND p.price_class = coalesce(l.price_class, '') AND p.wanted_currency = l.wanted_currency
    AND p.from_us <= l.finished_at_us AND p.until_us > l.finished_at_us
    AND p.above < l.whole_input AND p.up_to >= l.whole_input
WHERE l.units > 0
