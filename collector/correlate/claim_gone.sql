-- One row per claim of a suspect that an id has joined since, or that is none any more.
DELETE FROM claim
WHERE suspect_no IN (SELECT suspect_no FROM match_changed UNION ALL SELECT suspect_no FROM reappeared)
