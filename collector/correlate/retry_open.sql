-- One row per suspect whose next attempt is chosen again; the touched ones are the seeds.
CREATE OR REPLACE TEMP TABLE retry_open AS SELECT suspect_no FROM retry_touched
