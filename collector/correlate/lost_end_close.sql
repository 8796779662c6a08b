-- One row per call that waits no more, because its process is known to have lived on.
DELETE FROM open_call WHERE (source, call_id) IN (SELECT (source, call_id) FROM overdue_call WHERE wrote_on)
