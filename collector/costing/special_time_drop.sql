-- One row per completion whose share by time is known better now.
DELETE FROM special
WHERE (provider, account, completion_id, finished_at_us) IN (
    SELECT (provider, account, completion_id, finished_at_us) FROM special_time
)
