-- One row per suspect that was taken as vanished and has now told its end, or whose process wrote on.
CREATE OR REPLACE TEMP TABLE reappeared AS
WITH
pulse AS (
    SELECT source, process, max(at_us) AS last_at_us
    FROM client_call
    WHERE batch_id > $from_batch AND process IS NOT NULL
    GROUP BY source, process
)
SELECT suspect_no, started_at_us, false AS wrote_on FROM met_half WHERE suspect_no IS NOT NULL
UNION
SELECT s.suspect_no, s.started_at_us, true
FROM suspect AS s
JOIN pulse AS p ON p.source = s.source AND p.process = s.process
WHERE s.reason = 'vanished' AND p.last_at_us > s.started_at_us + $horizon_us
    AND s.suspect_no NOT IN (SELECT suspect_no FROM met_half WHERE suspect_no IS NOT NULL)
