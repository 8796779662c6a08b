-- One row per line of the batch that was not taken in.
SELECT line_no, line FROM line_batch
WHERE line_no NOT IN (SELECT line_no FROM client_call WHERE batch_id = $batch_id)
