-- One row per touched suspect and call: what could have superseded it before.
DELETE FROM retry_candidate WHERE suspect_no IN (SELECT suspect_no FROM retry_touched)
