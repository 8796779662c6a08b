-- One row per provider, model and mode: what its backend did about the aborts of the last 30 days.
SELECT
    provider, model, mode,
    count(*) FILTER (outcome = 'honored') AS honored,
    count(*) FILTER (outcome = 'ignored') AS ignored,
    count(*) FILTER (outcome = 'unmatched') AS unmatched,
    CAST(median(overrun_us) FILTER (outcome = 'ignored') AS BIGINT) AS overrun_us
FROM cancel_outcome
GROUP BY provider, model, mode
ORDER BY provider, model, mode
