-- One row per abort that has a new version: what stood before.
CREATE OR REPLACE TEMP TABLE verdict_before AS
SELECT * FROM verdict_current WHERE suspect_no IN (SELECT suspect_no FROM verdict_changed)
