-- One row per suspect that something new touched, as it is and, where it is none any more, as it was.
CREATE OR REPLACE TEMP TABLE changed_suspect AS
WITH number AS (
    SELECT suspect_no FROM new_suspect
    UNION
    SELECT suspect_no FROM active_suspect
    UNION
    SELECT suspect_no FROM match_moved
)
SELECT s.started_at_us, coalesce(s.ended_at_us, s.started_at_us + $lasting_us) AS left_at_us
FROM suspect AS s
SEMI JOIN number AS n ON n.suspect_no = s.suspect_no
UNION ALL
SELECT started_at_us, started_at_us + $lasting_us FROM reappeared
