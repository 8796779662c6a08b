-- One row per call that is waited for no more, because its process lived on; its end may still come late.
UPDATE open_call SET wrote_on = true
WHERE (source, call_id) IN (SELECT (source, call_id) FROM overdue_call WHERE wrote_on)
