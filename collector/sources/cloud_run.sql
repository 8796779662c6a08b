-- One row per entry of the batch: whether it is Cloud Run's of a request, and how the call ended.
-- What Cloud Run writes when a client leaves is not documented: 499 is read as a client that left, and 504 as the
-- service's own time limit, after which its code may run on.
CREATE OR REPLACE TEMP VIEW request_judged AS
SELECT
    file_id,
    line_no,
    v,
    v.resource.type = 'cloud_run_revision' AND regexp_matches(v.logName, 'run\.googleapis\.com(%2F|/)requests$') AS is_wanted,
    nullif(v.resource.labels.service_name, '') AS service_label,
    CASE whole(v.httpRequest.status) WHEN 499 THEN 'disconnect' WHEN 504 THEN 'timeout' END AS reason,
    false AS is_broken,
    false AS is_unanswered
FROM request_field
