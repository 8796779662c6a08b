-- One row per line of the batch: what the call is known again by.
CREATE OR REPLACE TEMP VIEW line_key AS
WITH told AS (
    SELECT
        file_id,
        line_no,
        nullif(nullif(v.request_id, ''), '-') AS request_id,
        TRY_CAST(TRY_CAST(v.msec AS DECIMAL(24, 6)) * 1000000 AS BIGINT) AS at_us
    FROM nginx_field
)
SELECT file_id, line_no, hash(request_id, 'whole', at_us) AS key, NULL::UBIGINT AS entry_key, at_us
FROM told
WHERE request_id IS NOT NULL
