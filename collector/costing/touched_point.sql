-- One row per model (as the bill names it) and instant whose bucket has to be drawn again.
CREATE OR REPLACE TEMP TABLE touched_point AS
WITH
point AS (
    -- new work
    SELECT provider, account, model, slot_at_us AS at_us FROM usage_slot WHERE batch_id > $from_batch
    UNION
    -- changed verdicts
    SELECT s.provider, s.account, s.model, t.finished_at_us // 900000000 * 900000000
    FROM special_touched AS t
    JOIN special AS s
        ON s.provider = t.provider AND s.account = t.account AND s.completion_id = t.completion_id
        AND s.finished_at_us = t.finished_at_us
    UNION
    -- models that the bill turns out to name otherwise than the log
    SELECT provider, account, model, slot_at_us
    FROM usage_slot
    WHERE (provider, model) IN (SELECT (provider, model) FROM model_name WHERE is_new)
)
SELECT p.provider, p.account, coalesce(n.bill_model, p.model) AS model, p.at_us
FROM point AS p
LEFT JOIN model_name AS n ON n.provider = p.provider AND n.model = p.model
UNION
SELECT provider, account, model, at_us
FROM point
WHERE (provider, model) IN (SELECT (provider, model) FROM model_name WHERE is_new)
UNION
-- a completion that needs no figures of its own any more leaves a share behind, which goes back to the rest
SELECT b.provider, b.account, b.model, t.finished_at_us // 900000000 * 900000000
FROM special_touched AS t
JOIN bucket_share AS b
    ON b.provider = t.provider AND b.account = t.account AND b.completion_id = t.completion_id
    AND b.finished_at_us = t.finished_at_us
