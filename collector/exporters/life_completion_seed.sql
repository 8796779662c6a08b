-- One row per completion that bears the id.
SELECT DISTINCT provider, account, completion_id, finished_at_us
FROM backend_completion
WHERE completion_id = $id OR request_id = $id OR response_id = $id OR insert_id = $id OR trace_id = lower($id)
ORDER BY finished_at_us, completion_id
LIMIT $rows_max
