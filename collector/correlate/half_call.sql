-- One row per new started or ended line whose other half is not among the new lines.
CREATE OR REPLACE TEMP TABLE half_call AS
WITH
started AS (
    SELECT source, call_id, at_us FROM client_call WHERE batch_id > $from_batch AND event = 'started'
),
ended AS (
    SELECT source, call_id, at_us, batch_id FROM client_call WHERE batch_id > $from_batch AND event = 'ended'
)
SELECT
    coalesce(s.source, e.source) AS source, coalesce(s.call_id, e.call_id) AS call_id,
    s.at_us AS started_at_us, e.at_us AS ended_at_us, e.batch_id
FROM started AS s
FULL OUTER JOIN ended AS e ON e.source = s.source AND e.call_id = s.call_id
WHERE s.call_id IS NULL OR e.call_id IS NULL
