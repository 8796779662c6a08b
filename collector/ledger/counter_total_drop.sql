-- One row per changed counter, as it was.
DELETE FROM counter_total WHERE (name, labels) IN (SELECT (name, labels) FROM counter_raised)
