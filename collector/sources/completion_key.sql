-- One row per line of the batch: what the completion, and its entry, are known again by.
CREATE OR REPLACE TEMP VIEW line_key AS
SELECT
    file_id,
    line_no,
    hash(coalesce(account, ''), completion_id) AS key,
    CASE WHEN insert_id IS NOT NULL THEN hash(log_name, insert_id, instant_us(finished_at)) END AS entry_key,
    instant_us(finished_at) AS at_us
FROM completion_key_field
WHERE completion_id IS NOT NULL
