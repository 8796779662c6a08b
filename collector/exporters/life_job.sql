-- One row per job that bears the id: its own name or the last part of it, or the call of a client that waited for it.
SELECT j.*, -j.job_no AS suspect_no, a.avoided_nano, a.avoided_by, p.verdict, p.share_evidence, p.billed, p.disputed
FROM job_current AS j
LEFT JOIN job_avoided AS a ON a.suspect_no = -j.job_no
LEFT JOIN special AS p
    ON p.provider = j.provider AND p.account = j.account AND p.completion_id = j.job_id
    AND p.finished_at_us = j.finished_at_us
WHERE $id IN (j.job_id, j.job_key, regexp_extract(j.job_key, '[^/]+$'))
    OR j.job_key IN (SELECT job_key FROM job_event WHERE call_id = $id OR job_id = $id)
ORDER BY j.started_at_us, j.job_key
LIMIT $rows_max
