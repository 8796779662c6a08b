-- One row per key of the records just read in that the ledger has in this stretch of time.
INSERT INTO repeated_key
SELECT completion_key(account, completion_id) AS key, true AS is_known
FROM backend_completion
WHERE batch_id < $batch_id AND provider = $provider AND finished_at_us BETWEEN $from_us AND $to_us
    AND completion_key(account, completion_id) IN (SELECT key FROM fresh_key)
UNION
SELECT entry_key(log_name, insert_id, finished_at_us), true
FROM backend_completion
WHERE batch_id < $batch_id AND provider = $provider AND finished_at_us BETWEEN $from_us AND $to_us
    AND entry_key(log_name, insert_id, finished_at_us) IN (SELECT entry_key FROM fresh_key)
