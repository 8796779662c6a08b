-- One row per abort of the week and change that would have saved some of it (kept for the statements that follow).
CREATE OR REPLACE TEMP TABLE change_offer AS
WITH
lost AS (
    SELECT * FROM week_abort WHERE is_lost AND orphaned_nano > 0 AND currency IS NOT NULL
),
-- A limit that fired before the answer came: raise it while the wait stays bearable, else do not wait for the whole.
late AS (
    SELECT
        CASE
            WHEN t.target_us IS NULL THEN 'batch'
            WHEN l.mode = 'unary' AND t.target_us > $whole_answer_us THEN 'stream'
            ELSE 'timeout'
        END AS kind,
        l.currency, l.service, l.provider, l.model, l.operation, l.mode, l.reason, t.deadline_us,
        t.deadline_high_us, t.target_us,
        coalesce(t.arrived, t.arrived_ever, 0) AS counted, t.answers AS counted_of, NULL::BIGINT AS overrun_us,
        '' AS other, NULL::BIGINT AS other_counted, NULL::BIGINT AS other_of, l.suspect_no,
        l.orphaned_nano AS saved_nano, l.orphaned_low_nano AS low_nano, l.orphaned_high_nano AS high_nano
    FROM lost AS l
    JOIN timeout_answer AS a ON a.suspect_no = l.suspect_no
    JOIN timeout_route AS t
        ON t.currency = a.currency AND t.service = a.service AND t.provider = a.provider AND t.model = a.model
        AND t.operation = a.operation AND t.mode = a.mode AND t.limit_us = a.limit_us
    WHERE t.target_us IS NULL OR a.took_us <= t.target_us
),
-- A process that died while it waited for a whole answer: a batch or a background job keeps the answer for later.
died AS (
    SELECT
        'died' AS kind, currency, service, provider, model, operation, mode, reason, NULL::BIGINT AS deadline_us,
        NULL::BIGINT AS deadline_high_us, NULL::BIGINT AS target_us, count(*) OVER route AS counted,
        count(*) OVER route AS counted_of,
        NULL::BIGINT AS overrun_us, '' AS other, NULL::BIGINT AS other_counted, NULL::BIGINT AS other_of,
        suspect_no, orphaned_nano AS saved_nano, orphaned_low_nano AS low_nano, orphaned_high_nano AS high_nano
    FROM lost
    WHERE reason = 'vanished' AND mode = 'unary' AND verdict = 'orphaned'
    WINDOW route AS (PARTITION BY currency, service, provider, model, operation)
),
-- The service of the same kind of calls whose leaving does stop the backend: at least five aborts, most of them.
example AS (
    SELECT service, provider, model, mode, stopped, stopped + ran_on AS aborts
    FROM cancel_route
    WHERE stopped + ran_on >= $example_aborts_min AND stopped * 2 >= stopped + ran_on
    QUALIFY row_number() OVER (
        PARTITION BY provider, model, mode ORDER BY stopped / (stopped + ran_on) DESC, stopped DESC, service
    ) = 1
),
cancel AS (
    SELECT
        'cancel' AS kind, l.currency, l.service, l.provider, l.model, '' AS operation, l.mode, '' AS reason,
        NULL::BIGINT AS deadline_us, NULL::BIGINT AS deadline_high_us, NULL::BIGINT AS target_us,
        c.ran_on AS counted, c.stopped + c.ran_on AS counted_of,
        c.overrun_us, e.service AS other, e.stopped AS other_counted, e.aborts AS other_of, l.suspect_no,
        share_of(l.avoidable_nano, e.stopped, e.aborts)::BIGINT AS saved_nano,
        least(share_of(l.avoidable_nano, e.stopped, e.aborts)::BIGINT, l.orphaned_low_nano) AS low_nano,
        l.avoidable_nano AS high_nano
    FROM lost AS l
    JOIN cancel_route AS c
        ON c.service = l.service AND c.provider = l.provider AND c.model = l.model AND c.mode = l.mode
    JOIN example AS e
        ON e.provider = l.provider AND e.model = l.model AND e.mode = l.mode AND e.service <> l.service
    WHERE l.verdict = 'orphaned' AND l.avoidable_nano > 0 AND c.stopped * 2 < c.stopped + c.ran_on
        AND l.reason IN ('interrupt', 'cancelled', 'timeout', 'disconnect')
),
retry AS (
    SELECT
        'retry' AS kind, n.currency, n.service, n.provider, n.model, '' AS operation, n.mode, a.reason,
        NULL::BIGINT AS deadline_us, NULL::BIGINT AS deadline_high_us, NULL::BIGINT AS target_us,
        t.lost_again AS counted, t.retries AS counted_of,
        NULL::BIGINT AS overrun_us, '' AS other, NULL::BIGINT AS other_counted, NULL::BIGINT AS other_of,
        n.suspect_no, n.orphaned_nano AS saved_nano, n.orphaned_low_nano AS low_nano,
        n.orphaned_high_nano AS high_nano
    FROM week_abort AS a
    JOIN retry_current AS r ON r.suspect_no = a.suspect_no
    JOIN lost AS n
        ON n.observer = r.source AND n.call_id = r.next_call_id AND n.started_at_us = r.next_started_at_us
    JOIN retry_route AS t
        ON t.service = a.service AND t.provider = a.provider AND t.model = a.model AND t.mode = a.mode
        AND t.reason = a.reason
    WHERE t.lost_again * 2 >= t.retries
),
every AS (
    SELECT * FROM late UNION ALL SELECT * FROM died UNION ALL SELECT * FROM cancel UNION ALL SELECT * FROM retry
)
SELECT
    *,
    dense_rank() OVER (
        ORDER BY kind, currency, service, provider, model, operation, mode, reason, deadline_us,
            deadline_high_us, target_us
    ) AS change_no
FROM every
