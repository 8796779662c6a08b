-- One row per abort as one observer saw it, in the words of `orphaned export verdicts`.
SELECT
    observer, call_id, request_id, provider, account, model, operation, service, stream,
    instant_text(started_at_us) AS started_at, instant_text(ended_at_us) AS ended_at, reason, verdict, evidence,
    match_probability, completion_id, instant_text(finished_at_us) AS finished_at, amount_text(cost_nano) AS cost,
    amount_text(orphaned_nano) AS orphaned_cost, amount_text(orphaned_low_nano) AS orphaned_cost_low,
    amount_text(orphaned_high_nano) AS orphaned_cost_high, amount_text(avoidable_nano) AS avoidable_cost, currency,
    basis, amount_text(avoided_nano) AS avoided_cost
FROM (
    -- in order before it is text: whole numbers are lighter to sort
    SELECT v.*, a.avoided_nano
    FROM verdict_current AS v
    LEFT JOIN job_avoided AS a ON a.suspect_no = v.suspect_no
    WHERE v.started_at_us >= $from_us AND v.started_at_us < $to_us
    ORDER BY v.started_at_us, v.call_id, v.observer
)
