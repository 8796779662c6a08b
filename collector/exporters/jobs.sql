-- One row per job, in the words of `orphaned export jobs`.
SELECT
    j.job_id, j.kind, j.provider, nullif(j.account, '') AS account, j.model, j.service, j.observer, j.call_id,
    instant_text(j.created_at_us) AS created_at, instant_text(j.finished_at_us) AS finished_at, j.state, j.waits,
    j.looks, instant_text(j.last_look_at_us) AS last_look_at, instant_text(j.left_at_us) AS left_at, j.reason,
    instant_text(j.cancel_requested_at_us) AS cancel_requested_at, j.cancel_result, j.requests_total, j.requests_done,
    v.verdict, amount_text(v.cost_nano) AS cost, amount_text(v.orphaned_nano) AS orphaned_cost,
    amount_text(v.avoidable_nano) AS avoidable_cost, amount_text(a.avoided_nano) AS avoided_cost, a.avoided_by,
    v.currency, v.basis
FROM job_current AS j
LEFT JOIN verdict_current AS v ON v.suspect_no = -j.job_no
LEFT JOIN job_avoided AS a ON a.suspect_no = -j.job_no
WHERE j.started_at_us >= $from_us AND j.started_at_us < $to_us
ORDER BY j.started_at_us, j.job_key
