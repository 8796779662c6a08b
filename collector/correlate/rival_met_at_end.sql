-- One row per observer's call and hour as before, and where a near completion of unknown receipt finished when it ended.
CREATE OR REPLACE TEMP TABLE rival_met AS
WITH
wish AS MATERIALIZED (
    SELECT
        c.provider, c.model, c.hour_at_us, d.source, c.finished_at_us - d.shift_us::BIGINT AS due_us,
        unnest([-1, 0, 1]) + (c.finished_at_us - d.shift_us::BIGINT) // $reach_us AS cell
    FROM near_completion AS c
    JOIN delay_model AS d ON d.hour_at_us = c.hour_at_us
    WHERE c.received_at_us IS NULL
),
ended AS MATERIALIZED (
    SELECT
        source, call_id, event, at_us, at_us // $reach_us AS cell, provider, model, file_id, line_no,
        coalesce(started_at_us, at_us) BETWEEN at_us - $lasting_us AND at_us AS usual
    FROM client_call
    WHERE event <> 'started' AND outcome <> 'aborted'
        AND at_us >= $scan_from_us AND at_us < $scan_to_us
),
met AS (
    SELECT DISTINCT e.source, e.call_id, e.event, e.at_us, e.file_id, e.line_no, w.provider, w.model, w.hour_at_us
    FROM ended AS e
    JOIN wish AS w ON w.source = e.source AND w.cell = e.cell
    WHERE e.usual AND abs(e.at_us - w.due_us) <= $reach_us
        AND (e.event = 'ended' OR (e.provider = w.provider AND e.model = w.model))
),
started AS (
    SELECT source, call_id, at_us, provider, model, file_id, line_no
    FROM client_call
    WHERE event = 'started' AND at_us >= $scan_from_us AND at_us < $scan_to_us
        AND (provider, model) IN (SELECT (provider, model) FROM lone_suspect)
),
found AS (
    SELECT file_id, line_no, hour_at_us FROM met WHERE event = 'whole'
    UNION
    SELECT s.file_id, s.line_no, m.hour_at_us
    FROM met AS m
    JOIN started AS s
        ON s.source = m.source AND s.call_id = m.call_id AND s.provider = m.provider AND s.model = m.model
    WHERE m.event = 'ended' AND m.at_us BETWEEN s.at_us AND s.at_us + $lasting_us
)
SELECT file_id, line_no, hour_at_us, bool_or(at_end) AS at_end
FROM (SELECT * FROM rival_met UNION ALL SELECT *, true FROM found)
GROUP BY file_id, line_no, hour_at_us
