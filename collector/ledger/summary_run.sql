-- One row per run, the newest first, at most ten.
SELECT run_id, recorded_at_us, outcome, duration_ms, rows_new FROM run ORDER BY run_id DESC LIMIT 10
