-- One row per call and completion where one of the two has rivals.
SELECT node_no, completion_no, distance_us
FROM allowed
WHERE completions > 1 OR calls > 1
ORDER BY node_no, completion_no
