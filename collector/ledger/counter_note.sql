-- One row per change of a counter.
INSERT INTO counter_change VALUES ($run_id, $now_us, $name, $labels, $delta)
