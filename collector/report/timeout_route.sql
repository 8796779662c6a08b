-- One row per route and limit that fired in the week: how many answers came after it, and by when nine of ten had come.
CREATE OR REPLACE TEMP TABLE timeout_route AS
WITH
route AS (
    SELECT
        currency, service, provider, model, operation, mode, limit_us, min(deadline_us) AS deadline_us,
        max(deadline_us) AS deadline_high_us, count(*) AS answers
    FROM timeout_answer
    GROUP BY ALL
),
rung AS (
    SELECT unnest($rungs_us) AS target_us
),
reached AS (
    SELECT
        a.currency, a.service, a.provider, a.model, a.operation, a.mode, a.limit_us, r.target_us,
        count(*) FILTER (a.took_us <= r.target_us) AS arrived
    FROM timeout_answer AS a
    CROSS JOIN rung AS r
    GROUP BY ALL
)
SELECT
    o.currency, o.service, o.provider, o.model, o.operation, o.mode, o.limit_us, o.deadline_us, o.deadline_high_us,
    o.answers,
    min(r.target_us) FILTER (r.arrived * 10 >= o.answers * 9) AS target_us,
    arg_min(r.arrived, r.target_us) FILTER (r.arrived * 10 >= o.answers * 9) AS arrived,
    max(r.arrived) AS arrived_ever
FROM route AS o
LEFT JOIN reached AS r
    ON r.currency = o.currency AND r.service = o.service AND r.provider = o.provider AND r.model = o.model
    AND r.operation = o.operation AND r.mode = o.mode AND r.limit_us = o.limit_us
    AND r.target_us > o.deadline_high_us
GROUP BY ALL
