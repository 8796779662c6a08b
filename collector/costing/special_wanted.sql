-- One row per special completion whose amounts have to be drawn again; numbered, because four columns with texts among
-- them are dear to group by.
CREATE OR REPLACE TEMP TABLE special_wanted AS
SELECT row_number() OVER () AS special_no, *
FROM (
    SELECT provider, account, completion_id, finished_at_us FROM special_touched
    UNION
    SELECT provider, account, completion_id, finished_at_us FROM special_use
    UNION
    SELECT provider, account, completion_id, finished_at_us
    FROM verdict_current
    WHERE completion_id IS NOT NULL AND cost_nano IS NULL AND finished_at_us IS NOT NULL
) AS wanted
