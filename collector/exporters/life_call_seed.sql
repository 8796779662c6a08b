-- One row per observer's call that bears the id.
SELECT DISTINCT source, call_id
FROM client_call
WHERE call_id = $id OR request_id = $id OR received_request_id = $id OR response_id = $id OR trace_id = lower($id)
ORDER BY source, call_id
LIMIT $rows_max
