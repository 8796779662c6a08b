-- One row per provider, model and mode: the aborts of the last 30 days that were made while there was work to stop.
-- Drawn once a connection: a run asks for it twice.
CREATE TEMP TABLE IF NOT EXISTS cancel_count AS
WITH
-- A failed call is the observer's opinion, and no wish to stop; a process that vanished dropped its connection.
abort AS (
    SELECT observer, provider, model, stream, verdict, finished_at_us - ended_at_us AS overrun_us
    FROM verdict_current
    -- that a job is cancelled on request says nothing about dropped connections
    WHERE money_row AND suspect_no > 0 AND reason IN ('interrupt', 'cancelled', 'timeout', 'disconnect', 'vanished')
        AND (verdict = 'unmatched' OR (verdict IN ('cut_short', 'orphaned') AND evidence IN ('exact', 'probable')))
        AND provider IS NOT NULL
        AND started_at_us > $now_us - 2592000000000 AND started_at_us <= $now_us
),
-- How long after the abort this backend's work ends where it does stop. Both instants are of the same two clocks as
-- below, so the skew between them is in it, and so is the way that the news of the abort takes.
reaction AS (
    SELECT observer, provider, stream, median(overrun_us) AS reaction_us
    FROM abort
    WHERE verdict = 'cut_short'
    GROUP BY observer, provider, stream
)
SELECT
    a.provider, coalesce(a.model, '') AS model,
    CASE WHEN a.stream THEN 'stream' WHEN NOT a.stream THEN 'unary' ELSE 'unknown' END AS mode,
    count(*) FILTER (a.verdict = 'cut_short') AS honored,
    count(*) FILTER (a.verdict = 'orphaned') AS ignored,
    count(*) FILTER (a.verdict = 'unmatched') AS unmatched,
    CAST(median(a.overrun_us) FILTER (a.verdict = 'orphaned') AS BIGINT) AS overrun_us
FROM abort AS a
LEFT JOIN reaction AS r
    ON r.observer = a.observer AND r.provider = a.provider AND r.stream IS NOT DISTINCT FROM a.stream
-- Work that ended by itself before it could have been stopped says nothing about stopping.
WHERE a.verdict <> 'orphaned' OR a.overrun_us IS NULL OR a.overrun_us > coalesce(r.reaction_us, 0)
GROUP BY ALL
