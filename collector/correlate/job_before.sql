-- One row per job that has a new version: what stood before.
CREATE OR REPLACE TEMP TABLE job_before AS
SELECT * FROM job_current WHERE job_no IN (SELECT job_no FROM job_changed)
