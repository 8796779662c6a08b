-- One row per suspect and completion that an id newly joins, or joins no more.
CREATE OR REPLACE TEMP TABLE match_moved AS
WITH
now AS (
    SELECT suspect_no, received_at_us, finished_at_us, provider, account, completion_id
    FROM match_changed
    WHERE evidence = 'exact'
),
moved AS (
    (SELECT * FROM now EXCEPT SELECT * FROM match_before)
    UNION ALL
    (SELECT * FROM match_before EXCEPT SELECT * FROM now)
),
begun AS (
    SELECT suspect_no, started_at_us FROM suspect UNION ALL SELECT suspect_no, started_at_us FROM reappeared
)
SELECT DISTINCT m.suspect_no, b.started_at_us, m.received_at_us, m.finished_at_us
FROM moved AS m
JOIN begun AS b ON b.suspect_no = m.suspect_no
