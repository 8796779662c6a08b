-- One row per assumed completion that stands no more: its abort was none, or stands on another observer's row.
CREATE OR REPLACE TEMP TABLE assumed_gone AS
SELECT a.*
FROM assumed_completion AS a
WHERE a.suspect_no IN (SELECT suspect_no FROM reappeared)
    OR a.suspect_no IN (
        SELECT suspect_no FROM chosen_match
        WHERE suspect_no IN (SELECT suspect_no FROM active_suspect) AND completion_id IS NULL
    )
