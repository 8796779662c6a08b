-- One row per superseded attempt that has a new version.
DELETE FROM retry_current WHERE suspect_no IN (SELECT suspect_no FROM retry_changed)
