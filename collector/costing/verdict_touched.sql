-- One row per suspect whose verdict row has to be drawn again.
CREATE OR REPLACE TEMP TABLE verdict_touched AS
SELECT suspect_no FROM active_suspect
UNION
SELECT suspect_no FROM reappeared
UNION
SELECT suspect_no FROM verdict_current WHERE verdict = 'pending'
UNION
SELECT m.suspect_no
FROM chosen_match AS m
SEMI JOIN special_wanted AS w
    ON w.provider = m.provider AND w.account = m.account AND w.completion_id = m.completion_id
    AND w.finished_at_us = m.finished_at_us
WHERE m.finished_at_us BETWEEN (SELECT min(finished_at_us) FROM special_wanted) AND (SELECT max(finished_at_us) FROM special_wanted)
