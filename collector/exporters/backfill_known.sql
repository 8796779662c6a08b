-- One row per source, and one for the runs (NULL): since when the live exporter shows its counters, from 0 on.
SELECT labels[1] AS source, min(recorded_at_us) AS at_us
FROM counter_change
WHERE name = 'source_records_total'
GROUP BY source
UNION ALL
SELECT NULL, min(recorded_at_us) FROM run WHERE outcome <> 'invariant' HAVING count(*) > 0
ORDER BY source NULLS FIRST
