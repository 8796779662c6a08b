-- One row per used quarter of an hour and kind: the charge period it belongs to, an hour where the bill has none.
CREATE OR REPLACE TEMP TABLE slot_period AS
WITH
slot AS (
    SELECT DISTINCT provider, account, model, usage_kind, slot_at_us FROM slot_usage
),
period AS (
    SELECT DISTINCT provider, account, model, usage_kind, usage_start_us, usage_end_us
    FROM bill_line
    WHERE usage_start_us BETWEEN (SELECT min(slot_at_us) FROM slot) - 2764800000000
        AND (SELECT max(slot_at_us) FROM slot)
),
covering AS (
    SELECT s.*, p.usage_start_us, p.usage_end_us
    FROM slot AS s
    JOIN period AS p
        ON p.provider = s.provider AND p.account = s.account AND p.model = s.model
        AND p.usage_kind = s.usage_kind AND s.slot_at_us >= p.usage_start_us AND s.slot_at_us < p.usage_end_us
    QUALIFY row_number() OVER (
        PARTITION BY s.provider, s.account, s.model, s.usage_kind, s.slot_at_us
        ORDER BY p.usage_end_us - p.usage_start_us, p.usage_start_us
    ) = 1
)
SELECT
    s.provider, s.account, s.model, s.usage_kind, s.slot_at_us,
    coalesce(c.usage_start_us, s.slot_at_us // 3600000000 * 3600000000) AS usage_start_us,
    coalesce(c.usage_end_us, s.slot_at_us // 3600000000 * 3600000000 + 3600000000) AS usage_end_us
FROM slot AS s
LEFT JOIN covering AS c
    ON c.provider = s.provider AND c.account = s.account AND c.model = s.model AND c.usage_kind = s.usage_kind
    AND c.slot_at_us = s.slot_at_us
-- a period that is not being drawn again is only partly in the touched hours: leave it alone
WHERE c.usage_start_us IS NULL
    OR (c.provider, c.account, c.model, c.usage_kind, c.usage_start_us, c.usage_end_us) IN (
        SELECT (provider, account, model, usage_kind, usage_start_us, usage_end_us) FROM touched_period
    )
