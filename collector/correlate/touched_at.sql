-- One row per instant at which something new may change a race; two a minute stand for what lies between.
CREATE OR REPLACE TEMP TABLE touched_at AS
SELECT unnest([min(at_us), max(at_us)]) AS at_us
FROM (
    SELECT coalesce(received_at_us, finished_at_us) AS at_us FROM backend_completion WHERE batch_id > $from_batch
    UNION ALL
    SELECT at_us FROM client_call WHERE batch_id > $from_batch
    UNION ALL
    SELECT started_at_us FROM client_call WHERE batch_id > $from_batch AND event = 'whole'
)
GROUP BY at_us // 60000000
UNION ALL
-- an end that comes late belongs to its start, and a start to its end
SELECT unnest([started_at_us, ended_at_us]) FROM met_half
UNION ALL
SELECT started_at_us FROM reappeared
UNION ALL
SELECT started_at_us FROM new_suspect
UNION ALL
SELECT s.started_at_us FROM suspect AS s WHERE s.suspect_no IN (SELECT suspect_no FROM active_suspect)
UNION ALL
SELECT unnest([started_at_us, received_at_us, finished_at_us]) FROM match_moved
