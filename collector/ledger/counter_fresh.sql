-- One row per counter that has changed since totals were last drawn.
CREATE OR REPLACE TEMP TABLE counter_fresh AS
SELECT name, labels, sum(delta) AS delta
FROM counter_change
WHERE run_id > $folded_run
GROUP BY name, labels
