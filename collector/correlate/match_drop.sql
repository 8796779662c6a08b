-- One row per active suspect: what was chosen for it before.
DELETE FROM chosen_match
WHERE suspect_no IN (SELECT suspect_no FROM active_suspect UNION ALL SELECT suspect_no FROM reappeared)
