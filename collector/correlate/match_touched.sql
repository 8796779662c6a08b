-- One row per completion that was, or now is, some active suspect's: its figures have to be drawn again.
CREATE OR REPLACE TEMP TABLE match_touched AS
SELECT provider, account, completion_id, finished_at_us
FROM chosen_match
WHERE suspect_no IN (SELECT suspect_no FROM active_suspect UNION ALL SELECT suspect_no FROM reappeared)
    AND completion_id IS NOT NULL
UNION
SELECT provider, account, completion_id, finished_at_us FROM match_changed WHERE completion_id IS NOT NULL
