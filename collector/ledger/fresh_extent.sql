-- One row: the instants between which the new records lie.
SELECT min(at_us), max(at_us) FROM fresh_key
