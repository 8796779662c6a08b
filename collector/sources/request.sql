-- One row per line of the batch, an entry of one of Google's proxies: the call it tells, or its fate.
CREATE OR REPLACE TEMP VIEW parsed AS
WITH value AS (
    SELECT
        *,
        instant_us(v.timestamp) AS started_at_us,
        seconds_us(v.httpRequest.latency) AS taken_us,
        -- a number that is zero is left out of an entry
        coalesce(whole(v.httpRequest.status), 0) AS status_code,
        coalesce(whole(v.httpRequest.responseSize), CASE WHEN is_unanswered THEN 0 END) AS bytes_received
    FROM request_judged
)
SELECT
    getvariable('source')::VARCHAR AS source,
    j.v.insertId AS call_id,
    'whole' AS event,
    j.started_at_us + j.taken_us AS at_us,
    j.started_at_us,
    j.started_at_us + j.taken_us AS ended_at_us,
    coalesce(r.service, getvariable('service')::VARCHAR, j.service_label, getvariable('source')::VARCHAR) AS service,
    r.provider,
    r.account,
    r.model,
    r.operation,
    r.stream,
    NULL::VARCHAR AS request_id,
    NULL::VARCHAR AS received_request_id,
    nullif(lower(split_part(j.v.trace, '/', -1)), '') AS trace_id,
    nullif(lower(j.v.spanId), '') AS span_id,
    NULL::VARCHAR AS response_id,
    NULL::VARCHAR AS retry_of,
    NULL::VARCHAR AS process,
    NULL::BIGINT AS input_tokens,
    NULL::BIGINT AS max_output_tokens,
    NULL::BIGINT AS request_bytes,
    CASE
        WHEN j.reason IS NOT NULL THEN 'aborted'
        WHEN j.is_broken OR j.status_code = 0 OR j.status_code >= 400 THEN 'failed'
        ELSE 'delivered'
    END AS outcome,
    j.reason,
    j.status_code,
    j.bytes_received,
    NULL::BIGINT AS output_tokens_received,
    NULL::BIGINT AS first_byte_at_us,
    NULL::BIGINT AS upstream_bytes,
    NULL::BIGINT AS retry_count,
    j.file_id,
    j.line_no,
    getvariable('batch_id')::BIGINT AS batch_id,
    CASE
        WHEN j.v IS NULL THEN 'not a JSON object'
        WHEN NOT coalesce(j.is_wanted, false) OR r.request_uri IS NULL THEN 'ignored'
        WHEN j.v.insertId IS NULL OR j.v.insertId = '' THEN 'no "insertId"'
        WHEN j.started_at_us IS NULL THEN '"timestamp" is no instant of RFC 3339 between 2000 and 2100'
        WHEN j.v.httpRequest.latency IS NULL THEN 'no "httpRequest.latency"'
        WHEN j.taken_us IS NULL OR j.taken_us NOT BETWEEN 0 AND 2592000000000
        THEN '"httpRequest.latency" is no duration'
        WHEN is_no_count(j.v.httpRequest.status) THEN '"httpRequest.status" is no count'
        WHEN is_no_count(j.v.httpRequest.responseSize) THEN '"httpRequest.responseSize" is no count'
    END AS fate
FROM value AS j
LEFT JOIN route_match AS r
    ON r.request_method = coalesce(j.v.httpRequest.requestMethod, '') AND r.request_uri = j.v.httpRequest.requestUrl
