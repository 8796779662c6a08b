-- One row per route and reason after which calls were tried again in the week: how many retries, and how many were lost as well.
CREATE OR REPLACE TEMP TABLE retry_route AS
SELECT
    a.service, a.provider, a.model, a.mode, a.reason, count(*) AS retries, count(n.suspect_no) AS lost_again
FROM week_abort AS a
JOIN retry_current AS r ON r.suspect_no = a.suspect_no
LEFT JOIN week_abort AS n
    ON n.observer = r.source AND n.call_id = r.next_call_id AND n.started_at_us = r.next_started_at_us AND n.is_lost
GROUP BY ALL
