-- One row per abort, on the row that carries its money: what the collector found, and what nginx had logged for it.
WITH
line AS (
    SELECT
        c.source, c.request_id, c.received_request_id,
        CASE
            WHEN c.status_code = 499 THEN 'status 499'
            WHEN c.outcome = 'aborted' THEN 'status 200, cut off'
            ELSE 'status ' || c.status_code || ', complete'
        END AS logged
    FROM client_call AS c
    WHERE c.event = 'whole'
),
attempt AS (
    SELECT * FROM verdict_current WHERE money_row
)
SELECT
    a.call_id, a.service, a.reason, a.verdict, a.evidence, a.share_evidence, a.basis, a.completion_id,
    coalesce(a.orphaned_nano, 0) AS lost_nano, coalesce(a.avoidable_nano, 0) AS avoidable_nano,
    a.started_at_us, a.ended_at_us, a.finished_at_us, coalesce(own.logged, passed.logged, '') AS nginx
FROM attempt AS a
LEFT JOIN line AS own ON own.source = a.observer AND own.request_id = a.call_id
LEFT JOIN line AS passed ON passed.received_request_id = a.request_id
ORDER BY a.started_at_us, a.call_id
