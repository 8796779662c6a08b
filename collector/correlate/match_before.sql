-- One row per active suspect that an id had joined to a completion before.
CREATE OR REPLACE TEMP TABLE match_before AS
SELECT suspect_no, received_at_us, finished_at_us, provider, account, completion_id
FROM chosen_match
WHERE evidence = 'exact'
    AND suspect_no IN (SELECT suspect_no FROM active_suspect UNION ALL SELECT suspect_no FROM reappeared)
