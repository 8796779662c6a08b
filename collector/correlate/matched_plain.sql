-- One row per call and completion that have no rival.
INSERT INTO matched
SELECT node_no, completion_no FROM allowed WHERE completions = 1 AND calls = 1
