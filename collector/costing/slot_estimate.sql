-- One row per bucket in the touched periods: what the logged usage costs at the dated prices.
CREATE OR REPLACE TEMP TABLE bucket_estimate AS
WITH
priced AS (
    SELECT
        u.*, a.currency AS wanted_currency
    FROM slot_usage AS u
    LEFT JOIN account_currency AS a ON a.provider = u.provider AND a.account = u.account
),
costed AS (
    SELECT u.*, p.currency, p.nano_per_million
    FROM priced AS u
    ASOF LEFT JOIN (SELECT * FROM price_effective WHERE input_tokens_above = 0) AS p
        ON p.provider = u.provider AND p.model = u.log_model AND p.usage_kind = u.priced_as
        AND p.price_class = coalesce(u.price_class, '')
        AND p.wanted_currency = coalesce(u.wanted_currency, $currency) AND p.from_us <= u.slot_at_us
)
SELECT
    c.provider, c.account, c.model, c.usage_kind, CASE WHEN r.apart THEN c.price_class END AS price_class,
    s.usage_start_us, s.usage_end_us, any_value(c.currency) AS currency,
    -- usage without a price is no usage at a price of zero
    CASE
        WHEN bool_or(c.nano_per_million IS NULL) THEN NULL
        ELSE sum(share_of(c.units, c.nano_per_million, 1000000))
    END AS estimated_nano
FROM costed AS c
JOIN slot_period AS s
    ON s.provider = c.provider AND s.account = c.account AND s.model = c.model AND s.usage_kind = c.usage_kind
    AND s.slot_at_us = c.slot_at_us
JOIN class_rule AS r
    ON r.provider = c.provider AND r.account = c.account AND r.model = c.model AND r.usage_kind = c.usage_kind
    AND r.usage_start_us = s.usage_start_us AND r.usage_end_us = s.usage_end_us
GROUP BY ALL
