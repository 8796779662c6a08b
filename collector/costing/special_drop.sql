-- One row per touched completion, as it was before.
DELETE FROM special
WHERE finished_at_us BETWEEN (SELECT min(finished_at_us) FROM special_touched) AND (SELECT max(finished_at_us) FROM special_touched)
    AND (provider, account, completion_id) IN (SELECT (provider, account, completion_id) FROM special_touched)
