-- One row per free completion that was received near a lone suspect's start.
CREATE OR REPLACE TEMP TABLE near_completion AS
WITH wish AS (
    SELECT
        s.provider, s.model, s.account, s.hour_at_us, s.started_at_us + d.shift_us::BIGINT AS due_us, d.reach_us,
        unnest([-1, 0, 1]) + (s.started_at_us + d.shift_us::BIGINT) // $reach_us AS cell
    FROM lone_suspect AS s
    JOIN delay_model AS d ON d.source = s.source AND d.hour_at_us = s.hour_at_us
    WHERE s.home
)
SELECT DISTINCT c.completion_no, c.provider, c.model, c.received_at_us, c.finished_at_us, c.hour_at_us
FROM free_completion AS c
JOIN wish AS w
    ON w.provider = c.provider AND w.model = c.model AND w.hour_at_us = c.hour_at_us
    AND w.cell = c.received_at_us // $reach_us AND abs(c.received_at_us - w.due_us) <= w.reach_us
WHERE w.account IS NULL OR w.account = c.account
