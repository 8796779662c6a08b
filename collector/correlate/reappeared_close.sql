-- One row per call that waits no more, because its process is known to have lived on.
DELETE FROM open_call WHERE suspect_no IN (SELECT suspect_no FROM reappeared)
