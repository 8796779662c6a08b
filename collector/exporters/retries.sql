-- One row per superseded attempt, in the words of `orphaned export retries`; the cost is that of the superseded one.
SELECT
    r.source AS observer, r.next_call_id AS call_id, r.call_id AS retry_of_call_id, h.call_id AS first_call_id,
    r.attempt AS superseded_attempt, r.evidence, instant_text(v.started_at_us) AS superseded_started_at,
    instant_text(v.ended_at_us) AS superseded_ended_at, instant_text(r.next_started_at_us) AS started_at,
    CASE WHEN v.ended_at_us IS NOT NULL THEN (r.next_started_at_us - v.ended_at_us) / 1000000 END::DOUBLE
        AS wait_seconds,
    v.reason AS superseded_reason, v.verdict AS superseded_verdict, v.completion_id AS superseded_completion_id,
    amount_text(v.cost_nano) AS cost, amount_text(v.orphaned_nano) AS orphaned_cost,
    amount_text(v.orphaned_low_nano) AS orphaned_cost_low, amount_text(v.orphaned_high_nano) AS orphaned_cost_high,
    v.currency, v.basis, v.provider, v.account, v.model, v.service
FROM (
    SELECT * FROM retry_current
    WHERE started_at_us >= $from_us AND started_at_us < $to_us
) AS r
-- a failed call that the backend has no work for is no abort; a call that two observers saw has one row with money
JOIN verdict_current AS v ON v.suspect_no = r.suspect_no AND v.money_row
JOIN retry_current AS h ON h.suspect_no = r.chain_no
ORDER BY r.started_at_us, r.call_id, r.source
