-- One row per quarter of an hour, usage kind and kind of work in the touched hours: what the logs say was used.
CREATE OR REPLACE TEMP TABLE slot_usage AS
WITH
slot AS (
    SELECT u.* REPLACE (coalesce(n.bill_model, u.model) AS model), u.model AS log_model
    FROM usage_slot AS u
    LEFT JOIN model_name AS n ON n.provider = u.provider AND n.model = u.model
    JOIN touched_hour AS h
        ON h.provider = u.provider AND h.account = u.account AND h.model = coalesce(n.bill_model, u.model)
        AND h.hour_at_us = u.slot_at_us // 3600000000 * 3600000000
    WHERE u.slot_at_us >= (SELECT min(hour_at_us) FROM touched_hour)
        AND u.slot_at_us < (SELECT max(hour_at_us) FROM touched_hour) + 3600000000
),
split AS (
    SELECT DISTINCT provider, account, model FROM bill_line WHERE usage_kind = 'thinking'
),
leaf AS (
    SELECT * EXCLUDE (batch_id),
        (provider, account, model) IN (SELECT (provider, account, model) FROM split) AS thinking_apart
    FROM slot
),
long AS (
    SELECT provider, account, model, log_model, slot_at_us, price_class, status, thinking_apart,
        unnest([
            {'kind': 'input', 'priced_as': 'input', 'units': input_tokens},
            {'kind': 'cached_input', 'priced_as': 'cached_input', 'units': cached_input_tokens},
            {'kind': 'output', 'priced_as': 'output', 'units': output_tokens},
            {'kind': CASE WHEN thinking_apart THEN 'thinking' ELSE 'output' END, 'priced_as': 'thinking',
                'units': thinking_tokens},
            {'kind': 'image', 'priced_as': 'image', 'units': images}
        ], recursive := true)
    FROM leaf
)
SELECT
    l.provider, l.account, l.model, l.log_model, l.slot_at_us, l.price_class, l.kind AS usage_kind, l.priced_as,
    sum(l.units) AS units
FROM long AS l
ASOF LEFT JOIN policy_decision AS p
    ON p.provider = l.provider AND p.model = l.log_model AND p.status = l.status AND p.from_us <= l.slot_at_us
WHERE l.units > 0 AND coalesce(p.billed, true) AND l.price_class IS DISTINCT FROM 'provisioned'
GROUP BY ALL
