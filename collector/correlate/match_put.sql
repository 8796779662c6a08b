-- One row per active suspect that has a completion.
INSERT INTO chosen_match BY NAME SELECT * FROM match_changed ORDER BY finished_at_us, suspect_no
