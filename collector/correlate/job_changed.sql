-- One row per touched job whose life is new or differs.
CREATE OR REPLACE TEMP TABLE job_changed AS
SELECT * FROM job_drawn EXCEPT SELECT * EXCLUDE (run_id, recorded_at_us) FROM job_current
