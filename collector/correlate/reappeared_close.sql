-- One row per call that is waited for no more, because its process turned out to live; its end may still come late.
UPDATE open_call SET wrote_on = true, suspect_no = NULL
WHERE suspect_no IN (SELECT suspect_no FROM reappeared)
