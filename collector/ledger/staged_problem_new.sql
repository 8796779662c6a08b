-- One row per invalid line that waits for its commit.
CREATE TEMP TABLE IF NOT EXISTS staged_problem AS SELECT * FROM problem LIMIT 0
