-- One row per completion that was, or now is, a lone suspect's by time and size.
INSERT INTO match_touched
SELECT provider, account, completion_id, finished_at_us
FROM chosen_match
WHERE suspect_no IN (SELECT suspect_no FROM lone_suspect) AND completion_id IS NOT NULL
EXCEPT
SELECT * FROM match_touched
