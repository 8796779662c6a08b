-- One row per abort of the last 30 days that was made while there was something to stop: what the backend did.
CREATE OR REPLACE TEMP TABLE cancel_outcome AS
WITH
-- A failed call is the observer's opinion, and no wish to stop; a process that vanished dropped its connection.
abort AS (
    SELECT
        observer, provider, coalesce(model, '') AS model,
        CASE WHEN stream THEN 'stream' WHEN NOT stream THEN 'unary' ELSE 'unknown' END AS mode,
        CASE verdict WHEN 'cut_short' THEN 'honored' WHEN 'orphaned' THEN 'ignored' ELSE 'unmatched' END AS outcome,
        finished_at_us - ended_at_us AS overrun_us
    FROM verdict_current
    WHERE money_row AND reason IN ('interrupt', 'cancelled', 'timeout', 'disconnect', 'vanished')
        AND (verdict = 'unmatched' OR (verdict IN ('cut_short', 'orphaned') AND evidence IN ('exact', 'probable')))
        AND provider IS NOT NULL
        AND started_at_us > $now_us - 2592000000000 AND started_at_us <= $now_us
),
-- How long after the abort this backend's work ends where it does stop. Both instants are of the same two clocks as
-- below, so the skew between them is in it, and so is the way that the news of the abort takes.
reaction AS (
    SELECT observer, provider, mode, median(overrun_us) FILTER (outcome = 'honored') AS reaction_us
    FROM abort
    GROUP BY observer, provider, mode
)
SELECT a.provider, a.model, a.mode, a.outcome, a.overrun_us
FROM abort AS a
JOIN reaction AS r ON r.observer = a.observer AND r.provider = a.provider AND r.mode = a.mode
-- Work that ended by itself before it could have been stopped says nothing about stopping.
WHERE a.outcome <> 'ignored' OR a.overrun_us IS NULL OR a.overrun_us > coalesce(r.reaction_us, 0)
