-- One row per line that waits to be taken in: none yet.
CREATE OR REPLACE TEMP TABLE staged_backend_completion AS
SELECT *, NULL::VARCHAR AS fate FROM backend_completion LIMIT 0
