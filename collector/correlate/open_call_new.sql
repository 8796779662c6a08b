-- One row per new started line that waits for its ended line.
INSERT INTO open_call
SELECT source, call_id, started_at_us, NULL, false
FROM half_call
WHERE started_at_us IS NOT NULL AND (source, call_id) NOT IN (SELECT (source, call_id) FROM met_half)
