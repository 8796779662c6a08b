-- One row per new suspect.
INSERT INTO suspect BY NAME SELECT * FROM new_suspect ORDER BY suspect_no
