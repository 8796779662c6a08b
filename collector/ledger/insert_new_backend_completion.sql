-- One row per waiting line that tells a record, where none of them repeats another.
INSERT INTO backend_completion BY NAME SELECT * EXCLUDE (fate) FROM parsed WHERE fate IS NULL
