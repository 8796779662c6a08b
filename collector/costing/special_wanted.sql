-- One row per special completion whose amounts have to be drawn again.
CREATE OR REPLACE TEMP TABLE special_wanted AS
SELECT provider, account, completion_id, finished_at_us FROM special_touched
UNION
SELECT provider, account, completion_id, finished_at_us FROM special_use
UNION
SELECT provider, account, completion_id, finished_at_us
FROM verdict_current
WHERE completion_id IS NOT NULL AND cost_nano IS NULL AND finished_at_us IS NOT NULL
