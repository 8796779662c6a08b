-- One row per completion of unknown receipt among the first that finished after a lone suspect was left.
INSERT INTO near_completion
WITH
block AS (SELECT DISTINCT provider, model, account, hour_at_us FROM unreceived),
finish AS (
    SELECT provider, model, account, hour_at_us, finished_at_us, min(place) AS place FROM unreceived GROUP BY ALL
),
wish AS (
    SELECT
        b.*, coalesce(s.ended_at_us, s.started_at_us) + d.shift_us::BIGINT - d.reach_us AS from_us,
        coalesce(s.ended_at_us, s.started_at_us) + d.shift_us::BIGINT + $horizon_us AS to_us
    FROM lone_suspect AS s
    JOIN delay_model AS d ON d.source = s.source AND d.hour_at_us = s.hour_at_us
    JOIN block AS b
        ON b.provider = s.provider AND b.model = s.model AND b.hour_at_us = s.hour_at_us
        AND (s.account IS NULL OR s.account = b.account)
),
first AS (
    SELECT w.*, unnest(generate_series(f.place, f.place + $candidates - 1)) AS place
    FROM wish AS w
    ASOF JOIN finish AS f
        ON f.provider = w.provider AND f.model = w.model AND f.account = w.account AND f.hour_at_us = w.hour_at_us
        AND w.from_us <= f.finished_at_us
)
SELECT DISTINCT u.completion_no, u.provider, u.model, NULL::BIGINT, u.finished_at_us, u.hour_at_us
FROM first AS w
JOIN unreceived AS u
    ON u.provider = w.provider AND u.model = w.model AND u.account = w.account AND u.hour_at_us = w.hour_at_us
    AND u.place = w.place
WHERE u.finished_at_us <= w.to_us
