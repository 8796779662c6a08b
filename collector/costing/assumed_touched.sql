-- One row per assumed completion whose figures have to be drawn again.
INSERT INTO match_touched
SELECT provider, account, completion_id, finished_at_us
FROM assumed_completion
WHERE suspect_no IN (SELECT suspect_no FROM active_suspect)
UNION
SELECT provider, account, completion_id, finished_at_us FROM assumed_gone
EXCEPT
SELECT * FROM match_touched
