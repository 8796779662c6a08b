-- One row per job whose verdict row has to be drawn again; a job's number stands for it with a minus.
INSERT INTO verdict_touched
SELECT -job_no FROM job_changed
UNION
SELECT -j.job_no
FROM job_current AS j
SEMI JOIN special_wanted AS w
    ON w.provider = j.provider AND w.account = j.account AND w.completion_id = j.job_id
    AND w.finished_at_us = j.finished_at_us
EXCEPT
SELECT suspect_no FROM verdict_touched
