-- One row per claim about leaving a provider's backend, beside what the last 30 days say of it.
SELECT
    provider, model, mode, ending AS "on", runs_on, billed, certainty, source,
    strftime(make_timestamp(from_us), '%Y-%m-%d') AS claimed_from,
    honored + ignored AS aborts, honored, ignored, unmatched,
    round(honored / nullif(honored + ignored, 0), 4) AS honored_share, round(honored_low, 4) AS honored_share_low,
    round(honored_high, 4) AS honored_share_high, round(overrun_us / 1000000, 3) AS overrun_seconds_median, agrees
FROM policy_finding
ORDER BY provider, model, mode, ending
