-- One row per job that was left: what its cancel saved, as an estimate, and how that was obtained. A cancel that was
-- honoured saved the requests that were not done, at the mean cost of those that were; where nobody counts
-- requests, the time that was left to the usual end of such a job, at the mean cost of the time that it ran.
CREATE OR REPLACE TEMP VIEW job_avoided AS
WITH
ran AS (
    SELECT *, finished_at_us - coalesce(created_at_us, started_at_us) AS ran_us FROM job_current
),
usual AS (
    SELECT c.job_no, quantile_disc(o.ran_us, 0.5) AS ran_us
    FROM ran AS c
    JOIN ran AS o
        ON o.provider = c.provider AND o.model = c.model AND o.kind = c.kind AND o.status = 'ok' AND o.ran_us > 0
        AND o.finished_at_us BETWEEN c.cancel_requested_at_us - 2592000000000 AND c.cancel_requested_at_us
    WHERE c.cancel_result = 'honoured'
    GROUP BY c.job_no
    HAVING count(*) >= 5
),
known AS (
    SELECT
        -r.job_no AS suspect_no, v.cost_nano,
        CASE
            WHEN r.cancel_result IN ('too_late', 'completed_after_all', 'refused') THEN 'nothing'
            WHEN r.cancel_result = 'honoured' AND r.requests_done > 0 AND r.requests_total IS NOT NULL THEN 'requests'
            WHEN r.cancel_result = 'honoured' AND r.ran_us > 0 AND u.ran_us IS NOT NULL THEN 'run time'
        END AS avoided_by,
        greatest(r.requests_total - r.requests_done - coalesce(r.requests_failed, 0), 0) AS requests_left,
        r.requests_done, greatest(u.ran_us - r.ran_us, 0) AS left_us, r.ran_us
    FROM ran AS r
    JOIN verdict_current AS v ON v.suspect_no = -r.job_no
    LEFT JOIN usual AS u ON u.job_no = r.job_no
)
SELECT
    suspect_no, avoided_by,
    CASE avoided_by
        WHEN 'nothing' THEN 0
        WHEN 'requests' THEN share_of(cost_nano, requests_left, requests_done)
        WHEN 'run time' THEN share_of(cost_nano, left_us, ran_us)
    END AS avoided_nano
FROM known;
