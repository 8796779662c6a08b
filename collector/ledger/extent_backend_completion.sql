-- One row: the instants between which the waiting records lie.
SELECT min(finished_at_us), max(finished_at_us) FROM staged_backend_completion WHERE fate IS NULL
