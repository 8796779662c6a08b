-- One row per touched job: its life, as all of its events tell it.
CREATE OR REPLACE TEMP TABLE job_drawn AS
WITH
told AS (
    SELECT
        e.job_key,
        -- as the provider's own record of it is named; who looked may have spelled it otherwise
        arg_min(job_id, (event NOT IN ('state', 'created'), e.call_id IS NOT NULL, logged_at_us, event_key)) AS job_id,
        arg_min(provider, (e.call_id IS NOT NULL, logged_at_us, event_key)) FILTER (provider IS NOT NULL) AS provider,
        arg_min(account, (e.call_id IS NOT NULL, logged_at_us, event_key)) FILTER (account IS NOT NULL) AS account,
        arg_min(model, (e.call_id IS NOT NULL, logged_at_us, event_key)) FILTER (model <> '') AS model,
        arg_min(kind, (e.call_id IS NULL, logged_at_us, event_key)) FILTER (kind <> 'job') AS kind,
        arg_min(e.source, (logged_at_us, event_key)) FILTER (e.call_id IS NULL) AS log_source,
        coalesce(min(created_at_us), min(at_us) FILTER (event = 'created')) AS created_at_us,
        min(at_us) AS first_at_us,
        min(at_us) FILTER (event = 'cancel_requested') AS cancel_requested_at_us,
        coalesce(bool_or(event = 'cancel_requested' AND cancel_outcome = 'failed'), false) AS cancel_failed,
        arg_max(state, (at_us, event_key)) FILTER (state IS NOT NULL) AS last_state,
        arg_max(price_class, (logged_at_us, event_key)) FILTER (price_class IS NOT NULL) AS price_class,
        arg_max(
            {'total': requests_total, 'done': requests_done, 'failed': requests_failed}, (logged_at_us, event_key)
        ) FILTER (requests_done IS NOT NULL) AS counts
    FROM job_event AS e
    SEMI JOIN job_touched AS t ON t.job_key = e.job_key
    GROUP BY e.job_key
),
met AS (
    SELECT
        t.* EXCLUDE (kind),
        coalesce(
            CASE WHEN contains(lower(t.job_key), 'batch') THEN 'batch' WHEN starts_with(t.job_key, 'operations/') THEN 'operation' END,
            t.kind, 'job') AS kind,
        d.finished_at_us, d.status, coalesce(d.is_logged, false) AS is_logged,
        coalesce(d.was_cancelled, false) AS was_cancelled, coalesce(d.state, t.last_state) AS state, d.used,
        w.reach_at_us, w.waits, w.waits_open, w.due_at_us, w.delivered, w.lost, w.last_wait, w.is_left,
        w.cancel_failed OR t.cancel_failed AS refused,
        coalesce(l.looks, 0) AS looks, l.last_look_at_us,
        w.delivered OR coalesce(d.status = 'ok' AND l.last_look_at_us >= d.finished_at_us, false) AS fetched
    FROM told AS t
    JOIN job_leaver AS w ON w.job_key = t.job_key
    LEFT JOIN job_end AS d ON d.job_key = t.job_key
    LEFT JOIN job_look AS l ON l.job_key = t.job_key
),
judged AS (
    SELECT
        *,
        CASE
            WHEN cancel_requested_at_us IS NOT NULL THEN true
            -- somebody may be waiting still
            WHEN waits_open > 0 OR lost THEN false
            WHEN is_left THEN CASE last_wait.reason
                WHEN 'vanished' THEN NOT fetched
                WHEN 'error' THEN NOT fetched AND coalesce(status = 'ok', false)
                ELSE true
            END
            WHEN waits > 0 THEN false
            -- looks tell that somebody waited, and their end that nobody does
            ELSE looks > 0 AND NOT fetched AND coalesce(status = 'ok' AND finished_at_us + $horizon_us <= reach_at_us, false)
        END AS is_abort
    FROM met
)
SELECT
    coalesce(o.job_no, $job_no + row_number() OVER (PARTITION BY o.job_no IS NULL ORDER BY j.first_at_us, j.job_key)) AS job_no,
    j.job_key, j.job_id, j.kind, j.provider, coalesce(j.account, '') AS account, j.model,
    last_wait.service AS service, coalesce(last_wait.source, log_source) AS observer,
    coalesce(last_wait.call_id, j.job_id) AS call_id, last_wait.process AS process, j.created_at_us,
    coalesce(last_wait.started_at_us, j.created_at_us, j.first_at_us) AS started_at_us, j.finished_at_us, j.state,
    j.status, j.is_logged, j.was_cancelled, j.waits,
    CASE WHEN j.is_abort THEN least(last_wait.left_at_us, j.cancel_requested_at_us) END AS left_at_us,
    CASE
        WHEN NOT j.is_abort THEN NULL
        WHEN j.is_left AND NOT (last_wait.reason = 'vanished' AND j.cancel_requested_at_us IS NOT NULL) THEN last_wait.reason
        WHEN j.cancel_requested_at_us IS NOT NULL THEN 'cancelled'
        ELSE 'vanished'
    END AS reason,
    j.looks, j.last_look_at_us, j.fetched, j.cancel_requested_at_us,
    CASE
        WHEN j.cancel_requested_at_us IS NULL THEN NULL
        WHEN j.status = 'cancelled' THEN 'honoured'
        WHEN j.status IS NULL THEN CASE WHEN j.refused THEN 'refused' ELSE 'unconfirmed' END
        WHEN j.was_cancelled THEN 'completed_after_all'
        -- a client's instant is when it saw the end: that the job went on after the cancel, only a log can tell
        WHEN NOT j.is_logged OR j.finished_at_us <= j.cancel_requested_at_us THEN 'too_late'
        WHEN j.refused THEN 'refused'
        ELSE 'completed_after_all'
    END AS cancel_result,
    j.is_abort, coalesce(j.price_class, CASE WHEN j.kind = 'batch' THEN 'batch' END) AS price_class,
    used.input AS input_tokens, used.cached_input AS cached_input_tokens, used.output AS output_tokens,
    used.thinking AS thinking_tokens, used.images AS images, counts.total AS requests_total,
    counts.done AS requests_done, counts.failed AS requests_failed,
    CASE
        WHEN j.waits_open > 0 THEN j.due_at_us
        WHEN j.waits = 0 AND j.looks > 0 AND NOT j.fetched AND j.status = 'ok'
            AND j.finished_at_us + $horizon_us > j.reach_at_us
        THEN j.finished_at_us + $horizon_us
    END AS due_at_us
FROM judged AS j
LEFT JOIN job_current AS o ON o.job_key = j.job_key
