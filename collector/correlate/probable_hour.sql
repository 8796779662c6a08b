-- One row per hour in which matches by time and size have to be drawn again, with how many suspects are near it.
CREATE OR REPLACE TEMP TABLE probable_hour AS
WITH
unreceived_hour AS (
    SELECT DISTINCT unnest([at_us - $margin_us, at_us + $margin_us]) // 3600000000 * 3600000000 AS hour_at_us
    FROM (
        SELECT DISTINCT finished_at_us // 60000000 * 60000000 AS at_us
        FROM backend_completion
        WHERE received_at_us IS NULL AND finished_at_us >= $wanted_from_us - $margin_us
            AND finished_at_us < $wanted_to_us + $margin_us
    )
),
recent AS (
    SELECT suspect_no, started_at_us, coalesce(ended_at_us, started_at_us + $lasting_us) + $after_us AS last_us
    FROM suspect
    WHERE started_at_us >= $wanted_from_us - $lasting_us - $after_us - $margin_us
        AND started_at_us < $wanted_to_us + $margin_us
),
near AS (
    SELECT
        suspect_no, unnest([started_at_us - $margin_us, started_at_us + $margin_us]) // 3600000000 * 3600000000 AS hour_at_us
    FROM recent
    UNION
    SELECT r.suspect_no, h.hour_at_us
    FROM unreceived_hour AS h
    JOIN recent AS r
        ON h.hour_at_us BETWEEN r.started_at_us AND least(r.last_us, r.started_at_us + $lasting_us + $after_us) + $margin_us
),
suspected AS (
    SELECT hour_at_us, count(*) AS suspects FROM near GROUP BY hour_at_us
)
SELECT w.hour_at_us, s.suspects
FROM hour_wanted AS w
JOIN suspected AS s ON s.hour_at_us = w.hour_at_us
ORDER BY w.hour_at_us
