-- One row per call that says it is a retry of one of the calls told.
SELECT DISTINCT call_id, retry_of
FROM client_call
WHERE retry_of IN (SELECT unnest($call_ids))
ORDER BY call_id
LIMIT $rows_max
