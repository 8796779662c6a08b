-- One row per bucket that stood in the touched hours before this run.
CREATE OR REPLACE TEMP TABLE bucket_standing AS
SELECT b.*
FROM bucket_current AS b
SEMI JOIN (
    SELECT provider, account, model, hour_at_us FROM touched_hour
    UNION
    SELECT provider, account, model, usage_start_us // 3600000000 * 3600000000 FROM touched_period
) AS h
    ON h.provider = b.provider AND h.account = b.account AND h.model = b.model
    AND h.hour_at_us = b.usage_start_us // 3600000000 * 3600000000
-- a period of the bill that was not drawn again keeps its row
WHERE b.billed_nano IS NULL
    OR (b.provider, b.account, b.model, b.usage_kind, b.usage_start_us, b.usage_end_us) IN (
        SELECT (provider, account, model, usage_kind, usage_start_us, usage_end_us)
        FROM touched_period
        WHERE NOT is_context
    )
