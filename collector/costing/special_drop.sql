-- One row per touched completion, as it was before.
DELETE FROM special
WHERE finished_at_us BETWEEN $special_from_us AND $special_to_us
    AND (provider, account, completion_id) IN (SELECT (provider, account, completion_id) FROM special_touched)
