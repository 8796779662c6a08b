-- One row per raced provider and model, and full hour with anything near: where the race of one hour ends and the next begins.
CREATE OR REPLACE TEMP TABLE hour_cut AS
WITH
-- Where an id has joined every suspect, nothing races, and what lies near need not be looked at.
raced AS (
    SELECT DISTINCT provider, model FROM unjoined_suspect
),
instant AS (
    SELECT provider, model, started_at_us AS at_us
    FROM client_call
    WHERE event <> 'ended' AND at_us >= $scan_from_us AND at_us < $scan_to_us
        AND coalesce(ended_at_us, started_at_us) BETWEEN started_at_us AND started_at_us + $lasting_us
    UNION ALL
    SELECT provider, model, coalesce(received_at_us, finished_at_us)
    FROM backend_completion
    WHERE finished_at_us >= $scan_from_us AND finished_at_us < $scan_to_us
        AND coalesce(received_at_us, finished_at_us) BETWEEN finished_at_us - $lasting_us AND finished_at_us
),
near AS (
    SELECT i.provider, i.model, (i.at_us + 1800000000) // 3600000000 * 3600000000 AS border_us, i.at_us
    FROM instant AS i
    SEMI JOIN raced AS r ON r.provider = i.provider AND r.model = i.model
    WHERE abs((i.at_us + 1800000000) % 3600000000 - 1800000000) < $margin_us
),
edged AS (
    SELECT * FROM near
    UNION ALL
    SELECT DISTINCT provider, model, border_us, border_us - $margin_us FROM near
    UNION ALL
    SELECT DISTINCT provider, model, border_us, border_us + $margin_us FROM near
),
gap AS (
    SELECT *, lead(at_us) OVER (PARTITION BY provider, model, border_us ORDER BY at_us) - at_us AS wide_us
    FROM edged
)
-- In the middle of the longest silence, so that a call and its completion are seldom parted.
SELECT provider, model, border_us, arg_min(at_us + wide_us // 2, (-wide_us, at_us)) AS cut_us
FROM gap
WHERE wide_us IS NOT NULL
GROUP BY provider, model, border_us
