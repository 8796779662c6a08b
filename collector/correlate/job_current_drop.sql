-- One row per job that has a new version.
DELETE FROM job_current WHERE job_no IN (SELECT job_no FROM job_changed)
