-- One row per started line whose ended line has come.
DELETE FROM open_call WHERE (source, call_id) IN (SELECT (source, call_id) FROM met_half)
