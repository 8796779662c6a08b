-- One row per process whose wait has not told its end: when it last wrote anything.
CREATE OR REPLACE TEMP TABLE job_pulse AS
WITH waiting AS (SELECT DISTINCT process FROM job_wait WHERE ended_at_us IS NULL AND process IS NOT NULL)
SELECT process, max(at_us) AS last_at_us
FROM (
    SELECT process, at_us FROM client_call WHERE at_us >= $open_from_us AND process IN (SELECT process FROM waiting)
    UNION ALL
    SELECT process, at_us FROM job_event WHERE at_us >= $open_from_us AND process IN (SELECT process FROM waiting)
)
GROUP BY process
