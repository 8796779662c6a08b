-- One row per key that stands more than once: among the records just read in, or in the ledger in the same hours.
CREATE OR REPLACE TEMP TABLE repeated_key AS
SELECT key FROM fresh_key GROUP BY key HAVING count(*) > 1
UNION
SELECT hash(call_id, event, CASE WHEN event = 'whole' THEN ended_at_us END) AS key
FROM client_call
WHERE batch_id < $batch_id AND source = $source AND at_us BETWEEN $from_us AND $to_us
    AND hash(call_id, event, CASE WHEN event = 'whole' THEN ended_at_us END) IN (SELECT key FROM fresh_key)
