-- One row per new assumed completion.
INSERT INTO assumed_completion BY NAME SELECT * FROM assumed_new ORDER BY suspect_no
