-- One row per touched job at which somebody looked; looks that only watched a cancel are no looks for its result.
CREATE OR REPLACE TEMP TABLE job_look AS
SELECT e.job_key, count(*) AS looks, max(e.at_us) AS last_look_at_us
FROM job_event AS e
SEMI JOIN job_touched AS t ON t.job_key = e.job_key
ANTI JOIN job_wait AS w
    ON w.job_key = e.job_key AND e.at_us BETWEEN w.cancel_from_us - $skew_us AND w.cancel_to_us + $skew_us
WHERE e.event = 'looked'
GROUP BY e.job_key
