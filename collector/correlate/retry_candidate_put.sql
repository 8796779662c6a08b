-- One row per touched suspect and call that may have superseded it.
INSERT INTO retry_candidate BY NAME SELECT * FROM retry_edge ORDER BY started_at_us, suspect_no, next_started_at_us
