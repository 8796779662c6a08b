-- One row per touched job that was left: its verdict and its money. Its name joins both sides, so all of it is exact.
INSERT INTO verdict_drawn BY NAME
WITH
joined AS (
    SELECT
        j.*, p.share_evidence, a.disputed, a.is_billed, a.is_settled, a.currency, a.abort_known,
        CASE
            WHEN j.status IS NULL THEN NULL
            WHEN j.status = 'error' THEN 'failed'
            WHEN j.status = 'cancelled' THEN 'cut_short'
            WHEN j.fetched THEN 'delivered'
            ELSE 'orphaned'
        END AS told_verdict,
        CASE WHEN a.is_settled THEN a.billed_cost_nano ELSE a.estimated_cost_nano END AS cost_nano,
        CASE WHEN a.is_settled THEN a.billed_best_nano ELSE a.estimated_best_nano END AS best_nano,
        CASE WHEN a.is_settled THEN a.billed_low_nano ELSE a.estimated_low_nano END AS low_nano,
        CASE WHEN a.is_settled THEN a.billed_high_nano ELSE a.estimated_high_nano END AS high_nano,
        CASE WHEN a.is_settled THEN a.billed_after_nano ELSE a.estimated_after_nano END AS after_nano,
        coalesce(r.reach_at_us, $now_us) AS reach_at_us
    FROM job_current AS j
    JOIN verdict_touched AS t ON t.suspect_no = -j.job_no
    LEFT JOIN special AS p
        ON p.provider = j.provider AND p.account = j.account AND p.completion_id = j.job_id
        AND p.finished_at_us = j.finished_at_us
    LEFT JOIN special_amount AS a
        ON a.provider = j.provider AND a.account = j.account AND a.completion_id = j.job_id
        AND a.finished_at_us = j.finished_at_us
    LEFT JOIN provider_reach AS r ON r.provider = j.provider
    WHERE j.is_abort
),
weighed AS (
    SELECT
        *,
        CASE
            WHEN told_verdict IS NULL THEN 'none'
            WHEN NOT is_billed THEN 'free'
            WHEN cost_nano IS NULL THEN 'none'
            WHEN told_verdict IN ('orphaned', 'cut_short') THEN 'lost'
            ELSE 'kept'
        END AS money
    FROM joined
)
SELECT
    -job_no AS suspect_no, observer, call_id, NULL::VARCHAR AS request_id, provider, nullif(account, '') AS account, model,
    kind AS operation, service, false AS stream, started_at_us, left_at_us AS ended_at_us, reason,
    CASE
        WHEN told_verdict IS NOT NULL THEN told_verdict
        WHEN coalesce(left_at_us, started_at_us) + $horizon_us > reach_at_us THEN 'pending'
        ELSE 'unmatched'
    END AS verdict,
    CASE WHEN told_verdict IS NULL THEN 'none' ELSE 'exact' END AS evidence,
    CASE WHEN told_verdict IS NOT NULL THEN 1.0::DOUBLE END AS match_probability,
    CASE WHEN told_verdict IS NOT NULL THEN job_id END AS completion_id, finished_at_us,
    CASE money WHEN 'free' THEN 0 WHEN 'none' THEN NULL ELSE cost_nano END::BIGINT AS cost_nano,
    CASE money WHEN 'none' THEN NULL WHEN 'lost' THEN best_nano ELSE 0 END::BIGINT AS orphaned_nano,
    CASE WHEN money = 'none' THEN NULL WHEN money = 'lost' AND NOT disputed THEN low_nano ELSE 0 END::BIGINT
        AS orphaned_low_nano,
    CASE money WHEN 'none' THEN NULL WHEN 'lost' THEN high_nano ELSE 0 END::BIGINT AS orphaned_high_nano,
    CASE
        WHEN money = 'none' THEN NULL
        WHEN money <> 'lost' THEN 0
        WHEN abort_known THEN least(best_nano, after_nano)
    END::BIGINT AS avoidable_nano,
    coalesce(currency, CASE WHEN money = 'free' THEN $currency END) AS currency,
    CASE WHEN money = 'none' THEN NULL WHEN is_settled THEN 'billed' ELSE 'estimated' END AS basis,
    true AS money_row, share_evidence
FROM weighed
