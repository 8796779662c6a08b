-- One row per invalid line that has been committed.
DELETE FROM staged_problem
