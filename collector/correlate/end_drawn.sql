-- One row per observer and drawn hour: how far its ends have to be moved to be the backend's, in whole milliseconds.
CREATE OR REPLACE TEMP TABLE end_drawn AS
WITH
raced AS (
    SELECT r.source, r.hour_at_us, max(e.end_shift) AS shift_us
    FROM scored_edge AS e
    JOIN racer AS r ON r.attempt_no = e.attempt_no
    GROUP BY r.source, r.hour_at_us
),
learnt AS (
    SELECT d.source, d.hour_at_us, coalesce(r.shift_us, d.shift_us) AS shift_us
    FROM delay_model AS d
    LEFT JOIN raced AS r ON r.source = d.source AND r.hour_at_us = d.hour_at_us
)
SELECT
    source, hour_at_us,
    -- less than a quarter of a second is rather the way and the queue than a clock that is off
    CASE WHEN abs(shift_us) < 250000 THEN 0 ELSE CAST(round(shift_us / 1000) AS BIGINT) * 1000 END AS shift_us
FROM learnt
