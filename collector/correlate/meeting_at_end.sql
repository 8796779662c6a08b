-- One row per attempt and completion of unknown receipt that finished with it, or soon after it was left.
INSERT INTO meeting
WITH
free AS (SELECT * FROM unreceived WHERE completion_no NOT IN (SELECT completion_no FROM owned)),
block AS (SELECT DISTINCT provider, model, account, hour_at_us FROM free),
finish AS (
    SELECT provider, model, account, hour_at_us, finished_at_us, min(place) AS place FROM free GROUP BY ALL
),
racing AS (
    SELECT
        r.attempt_no, b.*, r.outcome IN ('delivered', 'failed') AS stayed, d.reach_us,
        CASE WHEN r.ended_at_us >= 0 THEN r.ended_at_us ELSE r.started_at_us END + d.shift_us::BIGINT AS due_us
    FROM racer AS r
    JOIN delay_model AS d ON d.source = r.source AND d.hour_at_us = r.hour_at_us
    JOIN block AS b
        ON b.provider = r.provider AND b.model = r.model AND b.hour_at_us = r.hour_at_us
        AND (r.account IS NULL OR r.account = b.account)
),
with_it AS (
    SELECT r.attempt_no, f.completion_no
    FROM (SELECT *, unnest([-1, 0, 1]) + due_us // $reach_us AS cell FROM racing WHERE stayed) AS r
    JOIN (SELECT *, finished_at_us // $reach_us AS cell FROM free) AS f
        ON f.provider = r.provider AND f.model = r.model AND f.account = r.account AND f.hour_at_us = r.hour_at_us
        AND f.cell = r.cell AND abs(f.finished_at_us - r.due_us) <= $reach_us
),
first AS (
    SELECT r.*, unnest(generate_series(f.place, f.place + $candidates - 1)) AS place
    FROM (SELECT *, due_us - reach_us AS from_us FROM racing WHERE NOT stayed) AS r
    ASOF JOIN finish AS f
        ON f.provider = r.provider AND f.model = r.model AND f.account = r.account AND f.hour_at_us = r.hour_at_us
        AND r.from_us <= f.finished_at_us
),
after_it AS (
    SELECT r.attempt_no, f.completion_no
    FROM first AS r
    JOIN free AS f
        ON f.provider = r.provider AND f.model = r.model AND f.account = r.account AND f.hour_at_us = r.hour_at_us
        AND f.place = r.place
    WHERE f.finished_at_us <= r.due_us + $horizon_us
)
SELECT * FROM with_it UNION ALL SELECT * FROM after_it
