-- One row per call and the completion that the one-to-one choice gave it.
INSERT INTO matched SELECT node_no, completion_no FROM choice
