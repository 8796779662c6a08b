-- One row per new ended line that waits for its started line.
INSERT INTO dangling_end
SELECT source, call_id, ended_at_us, batch_id
FROM half_call
WHERE ended_at_us IS NOT NULL AND (source, call_id) NOT IN (SELECT (source, call_id) FROM met_half)
