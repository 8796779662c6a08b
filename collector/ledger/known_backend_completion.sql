-- One row: how many completions of the ledger, of the same hours, have a key of a waiting one.
SELECT count(*)
FROM backend_completion
WHERE provider = $provider AND finished_at_us BETWEEN $from_us AND $to_us
    AND (
        hash(coalesce(account, ''), completion_id) IN (SELECT key FROM fresh_key)
        OR (insert_id IS NOT NULL AND hash(log_name, insert_id, finished_at_us) IN (SELECT entry_key FROM fresh_key))
    )
