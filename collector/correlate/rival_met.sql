-- One row per observer's call and hour in which a near completion was received soon after its start: it may own it.
CREATE OR REPLACE TEMP TABLE rival_met AS
WITH
-- Materialised, so that the join below hashes by the cell: joined by the hour first, it would be hours squared.
wish AS MATERIALIZED (
    SELECT
        c.provider, c.model, c.hour_at_us, d.source, c.received_at_us - d.shift_us::BIGINT AS due_us, d.reach_us,
        unnest([-1, 0, 1]) + (c.received_at_us - d.shift_us::BIGINT) // $reach_us AS cell
    FROM near_completion AS c
    JOIN delay_model AS d ON d.hour_at_us = c.hour_at_us
    WHERE c.received_at_us IS NOT NULL
),
recent AS MATERIALIZED (
    SELECT source, provider, model, started_at_us, started_at_us // $reach_us AS cell, file_id, line_no
    FROM client_call
    WHERE event <> 'ended' AND at_us >= $scan_from_us AND at_us < $scan_to_us
        AND coalesce(ended_at_us, started_at_us) BETWEEN started_at_us AND started_at_us + $lasting_us
        AND (provider, model) IN (SELECT (provider, model) FROM lone_suspect)
)
SELECT DISTINCT r.file_id, r.line_no, w.hour_at_us, false AS at_end
FROM recent AS r
JOIN wish AS w ON w.source = r.source AND w.provider = r.provider AND w.model = r.model AND w.cell = r.cell
WHERE abs(r.started_at_us - w.due_us) <= w.reach_us
