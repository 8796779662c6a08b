-- One row: the instants between which the waiting lines lie.
SELECT min(at_us), max(at_us) FROM fresh_key
