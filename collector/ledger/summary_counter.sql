-- One row per counter.
SELECT name, labels, value FROM counter_total ORDER BY name, labels
