-- One row per assumed completion that stands no more.
DELETE FROM assumed_completion WHERE suspect_no IN (SELECT suspect_no FROM assumed_gone)
