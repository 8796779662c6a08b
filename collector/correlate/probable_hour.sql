-- One row per hour of starts in which matches by time and size have to be drawn again.
CREATE OR REPLACE TEMP TABLE probable_hour AS
WITH
touched AS (
    SELECT coalesce(received_at_us, finished_at_us) AS at_us FROM backend_completion WHERE batch_id > $from_batch
    UNION ALL
    SELECT coalesce(started_at_us, at_us) FROM client_call WHERE batch_id > $from_batch
    UNION ALL
    SELECT started_at_us FROM new_suspect
    UNION ALL
    SELECT s.started_at_us FROM suspect AS s WHERE s.suspect_no IN (SELECT suspect_no FROM active_suspect)
),
-- What an hour learns, it learns from the exact matches of the 24 hours that end with it.
learning AS (
    SELECT DISTINCT s.started_at_us // 3600000000 * 3600000000 AS hour_at_us
    FROM match_changed AS m
    JOIN suspect AS s ON s.suspect_no = m.suspect_no
    WHERE m.evidence = 'exact'
),
wanted AS (
    SELECT DISTINCT at_us // 3600000000 * 3600000000 AS hour_at_us FROM touched
    UNION
    SELECT unnest(generate_series(hour_at_us, hour_at_us + 23 * 3600000000, 3600000000)) FROM learning
)
SELECT w.hour_at_us
FROM wanted AS w
SEMI JOIN (
    SELECT DISTINCT started_at_us // 3600000000 * 3600000000 AS hour_at_us
    FROM suspect
    WHERE started_at_us >= (SELECT min(hour_at_us) FROM wanted)
        AND started_at_us < (SELECT max(hour_at_us) FROM wanted) + 3600000000
) AS s ON s.hour_at_us = w.hour_at_us
