-- One row per line of the batch that tells a completion.
INSERT INTO backend_completion BY NAME SELECT * EXCLUDE (fate) FROM parsed WHERE fate IS NULL
