-- One row per line of the batch that tells an event of a call.
INSERT INTO client_call BY NAME SELECT * EXCLUDE (fate) FROM parsed WHERE fate IS NULL
