-- One row per touched suspect that is an abort: its verdict, its evidence and its money.
CREATE OR REPLACE TEMP TABLE verdict_drawn AS
WITH
matched AS (
    SELECT
        s.*, m.completion_id, m.provider AS c_provider, m.account AS c_account, m.finished_at_us, m.evidence,
        m.probability, m.money_row
    FROM suspect AS s
    JOIN verdict_touched AS t ON t.suspect_no = s.suspect_no
    LEFT JOIN verdict_match AS m ON m.suspect_no = s.suspect_no
),
figure AS (
    SELECT p.*
    FROM special AS p
    SEMI JOIN verdict_match AS m
        ON m.provider = p.provider AND m.account = p.account AND m.completion_id = p.completion_id
        AND m.finished_at_us = p.finished_at_us
),
joined AS (
    SELECT
        m.*, p.model AS c_model, p.verdict AS c_verdict, p.share_evidence, a.disputed, a.is_billed, a.is_settled,
        a.currency, a.abort_known, a.used_micro,
        CASE WHEN a.is_settled THEN a.billed_cost_nano ELSE a.estimated_cost_nano END AS cost_nano,
        CASE WHEN a.is_settled THEN a.billed_best_nano ELSE a.estimated_best_nano END AS best_nano,
        CASE WHEN a.is_settled THEN a.billed_low_nano ELSE a.estimated_low_nano END AS low_nano,
        CASE WHEN a.is_settled THEN a.billed_high_nano ELSE a.estimated_high_nano END AS high_nano,
        CASE WHEN a.is_settled THEN a.billed_after_nano ELSE a.estimated_after_nano END AS after_nano,
        coalesce(r.reach_at_us, $now_us) AS reach_at_us,
        v.dearest_nano, v.expected_nano, v.currency AS rival_currency
    FROM matched AS m
    LEFT JOIN figure AS p
        ON p.provider = m.c_provider AND p.account = m.c_account AND p.completion_id = m.completion_id
        AND p.finished_at_us = m.finished_at_us
    LEFT JOIN special_amount AS a
        ON a.provider = m.c_provider AND a.account = m.c_account AND a.completion_id = m.completion_id
        AND a.finished_at_us = m.finished_at_us
    LEFT JOIN provider_reach AS r ON r.provider = m.provider
    LEFT JOIN rival_cost AS v ON v.suspect_no = m.suspect_no
),
-- Whether the row carries money, and of which kind: free work costs nothing, unknown usage costs nobody knows what.
weighed AS (
    SELECT
        *,
        CASE
            WHEN NOT coalesce(money_row, true) THEN CASE WHEN completion_id IS NULL THEN 'none' ELSE 'elsewhere' END
            WHEN completion_id IS NULL THEN CASE WHEN expected_nano IS NULL THEN 'none' ELSE 'expected' END
            WHEN NOT is_billed THEN 'free'
            WHEN cost_nano IS NULL THEN 'none'
            WHEN c_verdict IN ('orphaned', 'cut_short', 'delivered') THEN 'lost'
            ELSE 'kept'
        END AS money
    FROM joined
)
SELECT * REPLACE (
    TRY_CAST(cost_nano AS BIGINT) AS cost_nano, TRY_CAST(orphaned_nano AS BIGINT) AS orphaned_nano,
    TRY_CAST(orphaned_low_nano AS BIGINT) AS orphaned_low_nano,
    TRY_CAST(orphaned_high_nano AS BIGINT) AS orphaned_high_nano,
    TRY_CAST(avoidable_nano AS BIGINT) AS avoidable_nano
)
FROM (
SELECT
    suspect_no, source AS observer, call_id, request_id, coalesce(c_provider, provider) AS provider,
    nullif(coalesce(c_account, account), '') AS account, coalesce(c_model, model) AS model, operation, service,
    stream, started_at_us, ended_at_us, CASE WHEN outcome = 'failed' THEN 'error' ELSE reason END AS reason,
    CASE
        WHEN completion_id IS NOT NULL THEN c_verdict
        WHEN coalesce(ended_at_us, started_at_us) + $horizon_us > reach_at_us THEN 'pending'
        ELSE 'unmatched'
    END AS verdict,
    coalesce(evidence, 'none') AS evidence, probability AS match_probability,
    CASE WHEN evidence = 'assumed' THEN NULL ELSE completion_id END AS completion_id,
    CASE WHEN evidence = 'assumed' THEN NULL ELSE finished_at_us END AS finished_at_us,
    CASE
        WHEN money IN ('elsewhere', 'free') THEN 0 WHEN money NOT IN ('none', 'expected') THEN cost_nano
    END AS cost_nano,
    CASE
        WHEN money IN ('none', 'expected') THEN NULL
        WHEN money = 'lost' AND c_verdict <> 'delivered' THEN best_nano
        ELSE 0
    END AS orphaned_nano,
    CASE
        WHEN money = 'none' THEN NULL
        -- of an assumed answer only the input is sure
        WHEN money = 'lost' AND evidence = 'assumed' AND NOT disputed
        THEN greatest(best_nano - coalesce(after_nano, best_nano), 0)
        WHEN money = 'lost' AND c_verdict <> 'delivered' AND NOT disputed AND (evidence <> 'probable' OR probability >= 0.95)
        THEN low_nano
        ELSE 0
    END AS orphaned_low_nano,
    -- a pair in doubt may cost what its dearest rival does; an abort without a pair, what its rivals would on average
    CASE money
        WHEN 'none' THEN NULL
        WHEN 'expected' THEN expected_nano
        WHEN 'lost' THEN greatest(high_nano, coalesce(dearest_nano, 0))
        ELSE 0
    END AS orphaned_high_nano,
    CASE
        WHEN money IN ('none', 'expected') THEN NULL
        WHEN money <> 'lost' OR c_verdict = 'delivered' THEN 0
        WHEN abort_known THEN least(best_nano, after_nano)
    END AS avoidable_nano,
    CASE
        WHEN money = 'expected' THEN rival_currency
        WHEN completion_id IS NOT NULL THEN coalesce(currency, CASE WHEN money = 'free' THEN $currency END)
    END AS currency,
    CASE WHEN money IN ('none', 'expected') THEN NULL WHEN is_settled THEN 'billed' ELSE 'estimated' END AS basis,
    coalesce(money_row, true) AS money_row, share_evidence
FROM weighed
WHERE outcome = 'aborted' OR completion_id IS NOT NULL
) AS drawn
