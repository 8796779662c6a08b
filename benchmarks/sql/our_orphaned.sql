-- One row per model: the cost of what its backend computed for nobody, in nano-units.
SELECT model, sum(orphaned_nano) AS orphaned_nano
FROM verdict_current
WHERE verdict = 'orphaned' AND money_row
GROUP BY model
ORDER BY model
