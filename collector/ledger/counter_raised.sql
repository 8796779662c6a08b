-- One row per changed counter, with its new total.
CREATE OR REPLACE TEMP TABLE counter_raised AS
SELECT f.name, f.labels, f.delta + coalesce(t.value, 0) AS value
FROM counter_fresh AS f
LEFT JOIN counter_total AS t ON t.name = f.name AND t.labels = f.labels
