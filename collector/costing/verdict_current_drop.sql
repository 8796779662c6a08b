-- One row per abort that has a new version.
DELETE FROM verdict_current WHERE suspect_no IN (SELECT suspect_no FROM verdict_changed)
