-- One row per suspect that a later call of the observer superseded.
SELECT suspect_no, call_id, evidence, attempt, gap_us
FROM retry_current
WHERE source = $source AND next_call_id = $call_id
ORDER BY next_started_at_us, suspect_no
