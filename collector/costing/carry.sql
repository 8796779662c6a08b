-- One row per bucket with more logged than billed whose earlier neighbour has the reverse: what goes back to it.
CREATE OR REPLACE TEMP TABLE carry AS
WITH
-- Only calls whose span touches both periods can have been billed in the other one.
spanning AS (
    SELECT c.* REPLACE (coalesce(n.bill_model, c.model) AS model), c.model AS log_model
    FROM backend_completion AS c
    LEFT JOIN model_name AS n ON n.provider = c.provider AND n.model = c.model
    WHERE received_at_us // 900000000 < finished_at_us // 900000000
        AND finished_at_us >= $border_from_us
        AND finished_at_us < $border_to_us
        AND price_class IS DISTINCT FROM 'provisioned'
),
movable AS (
    SELECT
        b.provider, b.account, b.model, b.usage_kind, b.price_class, b.currency, b.usage_start_us, b.usage_end_us,
        sum(1000000::HUGEINT * CASE b.usage_kind
            WHEN 'input' THEN coalesce(s.input_tokens, 0)
            WHEN 'cached_input' THEN coalesce(s.cached_input_tokens, 0)
            WHEN 'thinking' THEN coalesce(s.thinking_tokens, 0)
            WHEN 'image' THEN coalesce(s.images, 0)
            WHEN 'output' THEN coalesce(s.output_tokens, 0)
                + CASE WHEN t.provider IS NULL THEN coalesce(s.thinking_tokens, 0) ELSE 0 END
            ELSE 0
        END) AS movable_micro
    FROM carry_border AS b
    JOIN spanning AS s
        ON s.provider = b.provider AND s.account = b.account AND s.model = b.model
        AND s.finished_at_us >= b.usage_start_us AND s.finished_at_us < b.usage_end_us
        AND s.received_at_us < b.usage_start_us
        AND (b.price_class IS NULL OR s.price_class = b.price_class)
    LEFT JOIN (SELECT DISTINCT provider, account, model FROM bill_line WHERE usage_kind = 'thinking') AS t
        ON t.provider = b.provider AND t.account = b.account AND t.model = b.model
    ASOF LEFT JOIN policy_decision AS d
        ON d.provider = s.provider AND d.model = s.log_model AND d.status = s.status AND d.from_us <= s.finished_at_us
    WHERE coalesce(d.billed, true)
    GROUP BY ALL
)
SELECT b.*, m.movable_micro, least(b.wanted_micro, m.movable_micro) AS carried_micro
FROM carry_border AS b
JOIN movable AS m
    ON m.provider = b.provider AND m.account = b.account AND m.model = b.model AND m.usage_kind = b.usage_kind
    AND m.price_class IS NOT DISTINCT FROM b.price_class AND m.currency = b.currency
    AND m.usage_start_us = b.usage_start_us
WHERE m.movable_micro > 0
