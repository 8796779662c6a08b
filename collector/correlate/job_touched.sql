-- One row per job of which something new is known, or for which it is time to judge.
CREATE OR REPLACE TEMP TABLE job_touched AS
-- a background response is one inference call, and is judged as such
SELECT job_key FROM job_event WHERE batch_id > $from_batch AND NOT starts_with(job_key, 'resp_')
UNION
SELECT job_key FROM job_current WHERE due_at_us <= $now_us
UNION
-- whose waiter was taken as vanished, and has written on
SELECT job_key
FROM job_current
WHERE reason = 'vanished' AND process IN (
    SELECT process FROM client_call WHERE batch_id > $from_batch AND process IS NOT NULL
    UNION
    SELECT process FROM job_event WHERE batch_id > $from_batch AND process IS NOT NULL
)
