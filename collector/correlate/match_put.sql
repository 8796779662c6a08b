-- One row per active suspect that has a completion, or whose attempt stands on another observer's row.
INSERT INTO chosen_match BY NAME SELECT * FROM match_changed ORDER BY finished_at_us, suspect_no
