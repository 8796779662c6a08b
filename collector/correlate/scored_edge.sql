-- One row per edge, with its terms, its probability and whether it was chosen.
CREATE OR REPLACE TEMP TABLE scored_edge AS
SELECT
    e.attempt_no, e.completion_no, e.provider, e.account, e.completion_id, e.finished_at_us,
    s.* EXCLUDE (attempt_no, completion_no)
FROM score AS s
JOIN edge AS e ON e.attempt_no = s.attempt_no AND e.completion_no = s.completion_no
