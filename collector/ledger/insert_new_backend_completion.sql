-- One row per waiting line that tells a record; a line without its text does not.
INSERT INTO backend_completion BY NAME SELECT * EXCLUDE (fate) FROM parsed WHERE fate IS NULL
