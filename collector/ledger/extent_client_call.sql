-- One row: the instants between which the waiting records lie.
SELECT min(at_us), max(at_us) FROM staged_client_call WHERE fate IS NULL
