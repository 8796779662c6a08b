-- One row per line of the batch: the call it tells, or its fate. Rules: an abort is never seen by the status alone.
CREATE OR REPLACE TEMP VIEW nginx_parsed AS
WITH
-- nginx writes "" or "-" for none, and lists ("502, 200" or "0.1 : 0.2") where it asked several upstreams.
value AS (
    SELECT
        file_id,
        line_no,
        v,
        nullif(nullif(v.request_id, ''), '-') AS request_id,
        nullif(nullif(v.http_x_request_id, ''), '-') AS received_request_id,
        nullif(nullif(v.http_traceparent, ''), '-') AS traceparent,
        nullif(nullif(v.request_completion, ''), '-') AS request_completion,
        seconds_us(v.msec) AS ended_at_us,
        seconds_us(v.request_time) AS taken_us,
        whole(v.status) AS status_code,
        -- the last upstream asked is the one whose answer counts
        nullif(nullif(trim(regexp_extract(v.upstream_header_time, '([^,:]*)$', 1)), ''), '-') AS header_time,
        nullif(nullif(trim(regexp_extract(v.upstream_bytes_received, '([^,:]*)$', 1)), ''), '-') AS upstream_bytes,
        nullif(nullif(v.bytes_sent, ''), '-') AS bytes_sent
    FROM nginx_field
),
judged AS (
    SELECT
        *,
        CASE
            WHEN status_code = 504 AND header_time IS NULL THEN 'timeout'
            WHEN status_code = 499 OR request_completion IS DISTINCT FROM 'OK' THEN 'disconnect'
        END AS reason
    FROM value
)
SELECT
    getvariable('source')::VARCHAR AS source,
    j.request_id AS call_id,
    'whole' AS event,
    j.ended_at_us AS at_us,
    j.ended_at_us - j.taken_us AS started_at_us,
    j.ended_at_us,
    coalesce(nullif(nullif(j.v.service, ''), '-'), r.service, getvariable('service')::VARCHAR) AS service,
    r.provider,
    r.account,
    r.model,
    r.operation,
    r.stream,
    j.request_id,
    j.received_request_id,
    CASE WHEN length(j.traceparent) = 55 THEN lower(j.traceparent[4:35]) END AS trace_id,
    CASE WHEN length(j.traceparent) = 55 THEN lower(j.traceparent[37:52]) END AS span_id,
    NULL::VARCHAR AS response_id,
    NULL::VARCHAR AS retry_of,
    NULL::VARCHAR AS process,
    NULL::BIGINT AS input_tokens,
    NULL::BIGINT AS max_output_tokens,
    NULL::BIGINT AS request_bytes,
    CASE
        WHEN j.reason IS NOT NULL THEN 'aborted'
        WHEN j.status_code >= 400 THEN 'failed'
        ELSE 'delivered'
    END AS outcome,
    j.reason,
    j.status_code,
    whole(j.bytes_sent) AS bytes_received,
    NULL::BIGINT AS output_tokens_received,
    CASE
        WHEN seconds_us(j.header_time) IS NOT NULL
        THEN j.ended_at_us - j.taken_us + seconds_us(j.header_time)
    END AS first_byte_at_us,
    whole(j.upstream_bytes) AS upstream_bytes,
    -- the SDKs of OpenAI and Anthropic say in this header which retry a request is
    whole(j.v.http_x_stainless_retry_count) AS retry_count,
    j.file_id,
    j.line_no,
    getvariable('batch_id')::BIGINT AS batch_id,
    CASE
        WHEN j.v IS NULL THEN 'not a JSON object'
        WHEN j.v.request_uri IS NULL AND j.v.msec IS NULL THEN 'ignored'
        WHEN j.v.request_uri IS NULL THEN 'no "request_uri"'
        WHEN r.request_uri IS NULL THEN 'ignored'
        WHEN j.request_id IS NULL THEN 'no "request_id"'
        WHEN j.ended_at_us IS NULL OR j.ended_at_us NOT BETWEEN 946684800000000 AND 4102444800000000
        THEN '"msec" is no instant between 2000 and 2100'
        WHEN j.taken_us IS NULL OR j.taken_us < 0 THEN '"request_time" is no duration'
        WHEN j.status_code IS NULL OR is_no_count(j.v.status) THEN '"status" is no count'
        WHEN is_no_count(j.bytes_sent) THEN '"bytes_sent" is no count'
    END AS fate
FROM judged AS j
LEFT JOIN route_match AS r ON r.request_method = coalesce(j.v.request_method, '') AND r.request_uri = j.v.request_uri;
