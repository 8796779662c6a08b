-- One row per suspect whose completion is in doubt: what its possible completions would cost, at the dated prices.
CREATE OR REPLACE TEMP TABLE rival_cost AS
WITH
completion AS (
    SELECT c.*
    FROM backend_completion AS c
    SEMI JOIN rival_doubt AS d
        ON d.provider = c.provider AND d.account = c.account AND d.completion_id = c.completion_id
        AND d.finished_at_us = c.finished_at_us
    WHERE c.finished_at_us BETWEEN $doubt_from_us AND $doubt_to_us
),
leaf AS (
    SELECT
        provider, account, completion_id, finished_at_us, model, coalesce(price_class, '') AS price_class,
        coalesce(input_tokens, 0) + coalesce(cached_input_tokens, 0) AS whole_input,
        unnest([
            {'kind': 'input', 'units': input_tokens}, {'kind': 'cached_input', 'units': cached_input_tokens},
            {'kind': 'output', 'units': output_tokens}, {'kind': 'thinking', 'units': thinking_tokens},
            {'kind': 'image', 'units': images}
        ], recursive := true)
    FROM completion
),
priced AS (
    SELECT l.*, p.currency, share_of(l.units, p.nano_per_million, 1000000) AS nano
    FROM leaf AS l
    LEFT JOIN account_currency AS a ON a.provider = l.provider AND a.account = l.account
    JOIN price_effective AS p
        ON p.provider = l.provider AND p.model = l.model AND p.usage_kind = l.kind AND p.price_class = l.price_class
        AND p.wanted_currency = coalesce(a.currency, $currency) AND p.from_us <= l.finished_at_us
        AND (p.input_tokens_above = 0 OR l.whole_input > p.input_tokens_above)
    WHERE l.units > 0
    QUALIFY row_number() OVER (
        PARTITION BY l.provider, l.account, l.completion_id, l.finished_at_us, l.kind
        ORDER BY p.from_us DESC, p.input_tokens_above DESC
    ) = 1
),
whole AS (
    SELECT provider, account, completion_id, finished_at_us, any_value(currency) AS currency, sum(nano) AS nano
    FROM priced
    GROUP BY ALL
)
SELECT
    d.suspect_no, any_value(w.currency) AS currency, max(w.nano) FILTER (d.probability >= 0.05) AS dearest_nano,
    CAST(round(sum(d.probability * w.nano)) AS HUGEINT) AS expected_nano
FROM rival_doubt AS d
JOIN whole AS w
    ON w.provider = d.provider AND w.account = d.account AND w.completion_id = d.completion_id
    AND w.finished_at_us = d.finished_at_us
GROUP BY d.suspect_no
