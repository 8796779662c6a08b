-- One row per wait for a touched job: one call of a client, with the cancel that it made.
CREATE OR REPLACE TEMP TABLE job_wait AS
SELECT
    e.job_key, e.source, e.call_id,
    min(e.at_us) FILTER (e.event = 'wait_started') AS started_at_us,
    min(e.at_us) FILTER (e.event = 'wait_ended') AS ended_at_us,
    max(e.outcome) AS outcome, max(e.reason) AS reason, max(e.service) AS service, max(e.process) AS process,
    min(e.at_us) FILTER (e.event = 'cancel_requested') AS cancel_from_us,
    max(e.at_us) FILTER (e.event IN ('cancel_requested', 'cancel_ended')) AS cancel_to_us,
    max(e.cancel_outcome) AS cancel_outcome
FROM job_event AS e
SEMI JOIN job_touched AS t ON t.job_key = e.job_key
WHERE e.call_id IS NOT NULL
GROUP BY e.job_key, e.source, e.call_id
