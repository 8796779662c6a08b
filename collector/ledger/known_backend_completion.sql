-- One row per key that stands more than once: among the records just read in, or in the ledger in the same hours.
CREATE OR REPLACE TEMP TABLE repeated_key AS
SELECT key FROM fresh_key GROUP BY key HAVING count(*) > 1
UNION
SELECT entry_key FROM fresh_key WHERE entry_key IS NOT NULL GROUP BY entry_key HAVING count(*) > 1
UNION
SELECT completion_key(account, completion_id) AS key
FROM backend_completion
WHERE batch_id < $batch_id AND provider = $provider AND finished_at_us BETWEEN $from_us AND $to_us
    AND completion_key(account, completion_id) IN (SELECT key FROM fresh_key)
UNION
SELECT entry_key(log_name, insert_id, finished_at_us) AS key
FROM backend_completion
WHERE batch_id < $batch_id AND provider = $provider AND finished_at_us BETWEEN $from_us AND $to_us
    AND entry_key(log_name, insert_id, finished_at_us) IN (SELECT entry_key FROM fresh_key)
