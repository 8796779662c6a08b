-- One row per line of the batch: what the event is known again by.
CREATE OR REPLACE TEMP VIEW line_key AS
WITH field AS (
    SELECT
        file_id,
        line_no,
        CASE WHEN starts_with(ltrim(line), '{') THEN
            TRY(json_transform(line, '{"event":"VARCHAR","call_id":"VARCHAR","at":"VARCHAR"}'))
        END AS v
    FROM line_batch
)
SELECT file_id, line_no, hash(v.call_id, v.event, NULL::BIGINT) AS key, NULL::UBIGINT AS entry_key, instant_us(v.at) AS at_us
FROM field
WHERE v.call_id IS NOT NULL
