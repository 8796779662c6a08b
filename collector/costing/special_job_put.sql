-- One row per touched job that was left, or did not end well, with the share of it that was lost: a job's result is
-- fetched whole or not at all, and it is generated evenly from its filing to its end.
INSERT INTO special BY NAME
WITH
touched AS (
    SELECT j.*, coalesce(j.created_at_us, j.started_at_us) AS from_us, coalesce(j.status = 'ok' AND j.fetched, false) AS is_whole
    FROM job_current AS j
    SEMI JOIN special_touched AS t
        ON t.provider = j.provider AND t.account = j.account AND t.completion_id = j.job_id
        AND t.finished_at_us = j.finished_at_us
    WHERE j.model IS NOT NULL AND (j.is_abort OR j.status <> 'ok')
)
SELECT
    t.provider, t.account, t.job_id AS completion_id, t.model, t.status, t.price_class, t.from_us AS received_at_us,
    t.finished_at_us, t.input_tokens, t.cached_input_tokens, t.output_tokens, t.thinking_tokens, t.images,
    CASE WHEN t.is_abort THEN -t.job_no END AS suspect_no,
    CASE
        WHEN t.status = 'error' THEN 'failed'
        WHEN t.status = 'cancelled' THEN 'cut_short'
        WHEN t.is_whole THEN 'delivered'
        ELSE 'orphaned'
    END AS verdict,
    CASE WHEN t.is_whole THEN 'fetched' ELSE 'not fetched' END AS share_evidence,
    CASE WHEN t.is_whole THEN 0 ELSE 1 END AS lost_part, 1 AS lost_whole, CASE WHEN t.is_whole THEN 0 ELSE 1 END AS low_part,
    CASE WHEN t.is_whole THEN 0 ELSE 1 END AS high_part,
    CASE
        WHEN t.left_at_us IS NULL OR t.finished_at_us <= t.from_us THEN NULL
        ELSE least(greatest(t.finished_at_us - greatest(t.left_at_us, t.from_us), 0), t.finished_at_us - t.from_us)
    END AS avoid_part,
    nullif(t.finished_at_us - t.from_us, 0) AS avoid_whole,
    coalesce(p.billed, true) AND t.price_class IS DISTINCT FROM 'provisioned' AS billed,
    coalesce(p.disputed, false) AS disputed, false AS stream, t.from_us, t.left_at_us AS ended_at_us,
    true AS first_byte_known, false AS some_bytes
FROM touched AS t
ASOF LEFT JOIN policy_decision AS p
    ON p.provider = t.provider AND p.model = t.model AND p.status = t.status AND p.from_us <= t.finished_at_us
ORDER BY t.finished_at_us, t.job_id
