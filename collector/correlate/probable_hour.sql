-- One row per hour in which matches by time and size have to be drawn again, with how many suspects began near it.
CREATE OR REPLACE TEMP TABLE probable_hour AS
WITH
touched AS (
    -- the first and the last of each minute stand for what lies between them
    SELECT unnest([min(at_us), max(at_us)]) AS at_us
    FROM (
        SELECT coalesce(received_at_us, finished_at_us) AS at_us FROM backend_completion WHERE batch_id > $from_batch
        UNION ALL
        SELECT at_us FROM client_call WHERE batch_id > $from_batch
        UNION ALL
        SELECT started_at_us FROM client_call WHERE batch_id > $from_batch AND event = 'whole'
    )
    GROUP BY at_us // 60000000
    UNION ALL
    -- an end that comes late belongs to its start
    SELECT started_at_us FROM met_half
    UNION ALL
    SELECT started_at_us FROM reappeared
    UNION ALL
    SELECT started_at_us FROM new_suspect
    UNION ALL
    SELECT s.started_at_us FROM suspect AS s WHERE s.suspect_no IN (SELECT suspect_no FROM active_suspect)
    UNION ALL
    SELECT unnest([started_at_us, received_at_us, finished_at_us]) FROM match_moved
),
-- What an hour learns, it learns from the exact matches of the 24 hours that end with it.
learning AS (
    SELECT DISTINCT started_at_us // 3600000000 * 3600000000 AS hour_at_us FROM match_moved
),
-- What lies near a full hour may belong to either side, and moves the cut between them.
wanted AS (
    SELECT DISTINCT unnest([at_us - $margin_us, at_us, at_us + $margin_us]) // 3600000000 * 3600000000 AS hour_at_us
    FROM touched
    UNION
    SELECT unnest(generate_series(hour_at_us, hour_at_us + 23 * 3600000000, 3600000000)) FROM learning
),
suspected AS (
    SELECT hour_at_us, count(*) AS suspects
    FROM (
        SELECT DISTINCT
            suspect_no,
            unnest([started_at_us - $margin_us, started_at_us + $margin_us]) // 3600000000 * 3600000000 AS hour_at_us
        FROM suspect
        WHERE started_at_us >= (SELECT min(hour_at_us) FROM wanted) - $margin_us
            AND started_at_us < (SELECT max(hour_at_us) FROM wanted) + 3600000000 + $margin_us
    )
    GROUP BY hour_at_us
)
SELECT w.hour_at_us, s.suspects
FROM wanted AS w
JOIN suspected AS s ON s.hour_at_us = w.hour_at_us
ORDER BY w.hour_at_us
