-- One row per key of the records just read in that the ledger has in this stretch of time.
INSERT INTO repeated_key
SELECT DISTINCT call_key(call_id, event, ended_at_us) AS key, true AS is_known
FROM client_call
WHERE batch_id < $batch_id AND source = $source AND at_us BETWEEN $from_us AND $to_us
    AND call_key(call_id, event, ended_at_us) IN (SELECT key FROM fresh_key)
