-- One row per attempt and free completion that was received near its start: they may be the same.
CREATE OR REPLACE TEMP TABLE meeting AS
WITH
racing AS (
    SELECT
        r.attempt_no, r.hour_at_us, r.provider, r.model, r.account, d.reach_us,
        r.started_at_us + d.shift_us::BIGINT AS due_us,
        unnest([-1, 0, 1]) + (r.started_at_us + d.shift_us::BIGINT) // $reach_us AS cell
    FROM racer AS r
    JOIN delay_model AS d ON d.source = r.source AND d.hour_at_us = r.hour_at_us
    WHERE r.home
),
free AS (
    SELECT provider, model, account, hour_at_us, completion_no, received_at_us, received_at_us // $reach_us AS cell
    FROM free_completion
    WHERE completion_no NOT IN (SELECT completion_no FROM owned)
)
SELECT r.attempt_no, f.completion_no
FROM racing AS r
JOIN free AS f
    ON f.provider = r.provider AND f.model = r.model AND f.hour_at_us = r.hour_at_us AND f.cell = r.cell
    AND abs(f.received_at_us - r.due_us) <= r.reach_us
WHERE r.account IS NULL OR r.account = f.account
