-- One row per invalid line of this commit.
INSERT INTO problem SELECT * FROM staged_problem
