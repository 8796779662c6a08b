-- One row per rival of a lone suspect, as it was.
DELETE FROM rival WHERE suspect_no IN (SELECT suspect_no FROM lone_suspect)
