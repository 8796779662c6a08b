-- One row per route and limit that fired in the week: how many answers came after it, and by when nine of ten had come.
CREATE OR REPLACE TEMP TABLE timeout_route AS
WITH
answer AS (
    SELECT currency, service, provider, model, operation, mode, deadline_us, finished_at_us - started_at_us AS took_us
    FROM week_abort
    WHERE deadline_us IS NOT NULL AND verdict = 'orphaned' AND finished_at_us > ended_at_us AND orphaned_nano > 0
),
route AS (
    SELECT currency, service, provider, model, operation, mode, deadline_us, count(*) AS answers
    FROM answer
    GROUP BY ALL
),
rung AS (
    SELECT unnest($rungs_us) AS target_us
),
reached AS (
    SELECT
        a.currency, a.service, a.provider, a.model, a.operation, a.mode, a.deadline_us, r.target_us,
        count(*) FILTER (a.took_us <= r.target_us) AS arrived
    FROM answer AS a
    JOIN rung AS r ON r.target_us > a.deadline_us
    GROUP BY ALL
)
SELECT
    o.currency, o.service, o.provider, o.model, o.operation, o.mode, o.deadline_us, o.answers,
    min(r.target_us) FILTER (r.arrived * 10 >= o.answers * 9) AS target_us,
    arg_min(r.arrived, r.target_us) FILTER (r.arrived * 10 >= o.answers * 9) AS arrived,
    max(r.arrived) AS arrived_ever
FROM route AS o
LEFT JOIN reached AS r
    ON r.currency = o.currency AND r.service = o.service AND r.provider = o.provider AND r.model = o.model
    AND r.operation = o.operation AND r.mode = o.mode AND r.deadline_us = o.deadline_us
GROUP BY ALL
