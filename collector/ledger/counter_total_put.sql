-- One row per changed counter, as it is.
INSERT INTO counter_total SELECT name, labels, value FROM counter_raised ORDER BY name, labels
