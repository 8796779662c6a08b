-- One row per waiting line that tells a record, where no line was set aside.
INSERT INTO backend_completion BY NAME SELECT * EXCLUDE (fate) FROM parsed WHERE fate IS NULL
