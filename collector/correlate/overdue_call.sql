-- One row per call that started more than a horizon ago and whose process never reported on it again.
CREATE OR REPLACE TEMP TABLE overdue_call AS
WITH
told AS (
    SELECT o.source, o.call_id, o.started_at_us, c.process
    FROM overdue AS o
    JOIN client_call AS c
        ON c.source = o.source AND c.call_id = o.call_id AND c.event = 'started' AND c.at_us = o.started_at_us
    WHERE c.at_us BETWEEN $overdue_from_us AND $overdue_to_us
),
-- A process that wrote on after the horizon was not lost: only its ended line was.
alive AS (
    SELECT source, process, max(at_us) AS last_at_us
    FROM client_call
    WHERE process IS NOT NULL AND at_us >= $overdue_from_us
        AND process IN (SELECT process FROM told)
    GROUP BY source, process
)
SELECT t.source, t.call_id, t.started_at_us, coalesce(a.last_at_us > t.started_at_us + $horizon_us, false) AS wrote_on
FROM told AS t
LEFT JOIN alive AS a ON a.source = t.source AND a.process = t.process
