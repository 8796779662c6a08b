-- One row per model of which this run has learnt whether its backend stops.
SELECT DISTINCT provider, coalesce(model, '') AS model
FROM verdict_changed
WHERE money_row AND verdict IN ('cut_short', 'orphaned', 'unmatched') AND provider IS NOT NULL
ORDER BY provider, model
