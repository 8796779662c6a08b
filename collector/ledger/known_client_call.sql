-- One row per key that stands more than once: among the records just read in, or in the ledger in the same hours.
CREATE OR REPLACE TEMP TABLE repeated_key AS
SELECT key FROM fresh_key GROUP BY key HAVING count(*) > 1
UNION
SELECT call_key(call_id, event, ended_at_us) AS key
FROM client_call
WHERE batch_id < $batch_id AND source = $source AND at_us BETWEEN $from_us AND $to_us
    AND call_key(call_id, event, ended_at_us) IN (SELECT key FROM fresh_key)
