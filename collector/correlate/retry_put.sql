-- One row per new version of a link between an attempt and the next.
INSERT INTO retry_link BY NAME SELECT * FROM retry_changed ORDER BY started_at_us, suspect_no
