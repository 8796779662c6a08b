-- One row: how many lines of the ledger, of the same hours, have the key of a waiting one.
SELECT count(*)
FROM client_call
WHERE source = $source AND at_us BETWEEN $from_us AND $to_us
    AND hash(call_id, event, CASE WHEN event = 'whole' THEN ended_at_us END) IN (SELECT key FROM fresh_key)
