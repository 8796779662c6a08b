-- One row per suspect that is none any more.
DELETE FROM suspect WHERE suspect_no IN (SELECT suspect_no FROM reappeared)
