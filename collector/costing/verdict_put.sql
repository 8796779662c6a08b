-- One row per new version of a verdict.
INSERT INTO verdict BY NAME SELECT * FROM verdict_changed ORDER BY started_at_us, suspect_no
