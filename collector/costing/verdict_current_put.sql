-- One row per abort that has a new version and still is one.
INSERT INTO verdict_current BY NAME
SELECT * FROM verdict_changed WHERE NOT retracted ORDER BY started_at_us, suspect_no
