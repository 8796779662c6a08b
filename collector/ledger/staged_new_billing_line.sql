-- One row per line that waits to be taken in: none yet.
CREATE OR REPLACE TEMP TABLE staged_billing_line AS
SELECT * EXCLUDE (occurrence_no, counts), NULL::VARCHAR AS fate FROM billing_line LIMIT 0
