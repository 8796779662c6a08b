-- One row per superseded attempt that has a new version and still is one.
INSERT INTO retry_current BY NAME
SELECT * FROM retry_changed WHERE NOT retracted ORDER BY started_at_us, suspect_no
