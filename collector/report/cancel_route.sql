-- One row per service and kind of call that was left in the week: how often the backend stopped, and how often it ran on.
CREATE OR REPLACE TEMP TABLE cancel_route AS
SELECT
    service, provider, model, mode,
    count(*) FILTER (verdict = 'cut_short') AS stopped,
    count(*) FILTER (verdict = 'orphaned') AS ran_on,
    CAST(median(finished_at_us - ended_at_us) FILTER (verdict = 'orphaned') AS BIGINT) AS overrun_us
FROM week_abort
WHERE is_lost AND evidence IN ('exact', 'probable') AND reason IN ('interrupt', 'cancelled', 'timeout', 'disconnect')
    -- work that ended by itself within a second says nothing about stopping
    AND (verdict = 'cut_short' OR finished_at_us - ended_at_us > 1000000)
GROUP BY service, provider, model, mode
