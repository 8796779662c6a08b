-- One row per line that waits to be taken in: none yet.
CREATE OR REPLACE TEMP TABLE staged_client_call AS
SELECT *, NULL::VARCHAR AS fate FROM client_call LIMIT 0
