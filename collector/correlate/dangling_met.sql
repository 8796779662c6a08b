-- One row per ended line whose started line has come.
DELETE FROM dangling_end WHERE (source, call_id) IN (SELECT (source, call_id) FROM met_half)
