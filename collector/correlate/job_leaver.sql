-- One row per touched job that some client waited for: how its waits ended, and the last to leave without the result.
CREATE OR REPLACE TEMP TABLE job_leaver AS
WITH
-- A wait lasts as long as its job: it is missed a horizon after the job's end, not after its own start.
heard AS (
    SELECT
        e.job_key,
        min(CASE WHEN $now_us - coalesce(s.watermark_at_us, 0) >= $silence_us THEN $now_us
            ELSE least(s.watermark_at_us, $now_us) END) AS reach_at_us
    FROM (SELECT DISTINCT job_key, source FROM job_event SEMI JOIN job_touched USING (job_key)) AS e
    LEFT JOIN source_state AS s ON s.source = e.source
    GROUP BY e.job_key
),
missed AS (
    SELECT
        h.job_key, h.reach_at_us, w.* EXCLUDE (job_key),
        greatest(coalesce(d.finished_at_us, w.started_at_us + $wait_us), w.started_at_us) + $horizon_us AS missed_at_us,
        p.last_at_us
    FROM heard AS h
    LEFT JOIN job_wait AS w ON w.job_key = h.job_key
    LEFT JOIN job_end AS d ON d.job_key = h.job_key
    LEFT JOIN job_pulse AS p ON p.process = w.process
),
judged AS (
    SELECT
        *,
        CASE
            WHEN call_id IS NULL THEN NULL
            WHEN ended_at_us IS NOT NULL THEN outcome
            WHEN coalesce(missed_at_us, reach_at_us + 1) > reach_at_us THEN 'open'
            WHEN last_at_us > missed_at_us THEN 'lost'
            ELSE 'vanished'
        END AS fate
    FROM missed
)
SELECT
    job_key, min(reach_at_us) AS reach_at_us, count(call_id) AS waits,
    count(*) FILTER (fate = 'open') AS waits_open, min(missed_at_us) FILTER (fate = 'open') AS due_at_us,
    coalesce(bool_or(fate = 'delivered'), false) AS delivered, coalesce(bool_or(fate = 'lost'), false) AS lost,
    arg_max(call_id, (coalesce(ended_at_us, started_at_us, 0), call_id)) FILTER (fate = 'lost') AS lost_call_id,
    min(cancel_from_us) AS cancel_from_us, coalesce(bool_or(cancel_outcome = 'failed'), false) AS cancel_failed,
    arg_max(
        {
            'source': source, 'call_id': call_id, 'service': service, 'process': process,
            'started_at_us': started_at_us, 'left_at_us': CASE WHEN fate <> 'vanished' THEN ended_at_us END,
            'reason': CASE fate WHEN 'aborted' THEN reason WHEN 'failed' THEN 'error' ELSE fate END
        },
        (fate IN ('aborted', 'vanished', 'failed'), coalesce(ended_at_us, started_at_us, cancel_from_us), call_id)
    ) FILTER (call_id IS NOT NULL) AS last_wait,
    coalesce(bool_or(fate IN ('aborted', 'vanished', 'failed')), false) AS is_left
FROM judged
GROUP BY job_key
