-- One row per line of the batch: the event it tells, or its fate (why it is none).
CREATE OR REPLACE TEMP VIEW client_log_parsed AS
WITH field AS (
    SELECT
        file_id,
        line_no,
        CASE WHEN starts_with(ltrim(line), '{') THEN TRY(json_transform(line, '{"event":"VARCHAR","call_id":"VARCHAR","at":"VARCHAR","service":"VARCHAR","provider":"VARCHAR","account":"VARCHAR","model":"VARCHAR","operation":"VARCHAR","stream":"VARCHAR","request_id":"VARCHAR","trace_id":"VARCHAR","span_id":"VARCHAR","response_id":"VARCHAR","retry_of":"VARCHAR","retry_count":"VARCHAR","process":"VARCHAR","input_tokens":"VARCHAR","max_output_tokens":"VARCHAR","request_bytes":"VARCHAR","outcome":"VARCHAR","reason":"VARCHAR","status_code":"VARCHAR","bytes_received":"VARCHAR","output_tokens_received":"VARCHAR"}')) END AS v
    FROM client_line
),
typed AS (
    SELECT
        file_id,
        line_no,
        v,
        instant_us(v.at) AS at_us,
        whole(v.input_tokens) AS input_tokens,
        whole(v.max_output_tokens) AS max_output_tokens,
        whole(v.request_bytes) AS request_bytes,
        whole(v.status_code) AS status_code,
        whole(v.bytes_received) AS bytes_received,
        whole(v.output_tokens_received) AS output_tokens_received
    FROM field
)
SELECT
    getvariable('source')::VARCHAR AS source,
    v.call_id AS call_id,
    v.event AS event,
    at_us,
    CASE WHEN v.event = 'started' THEN at_us END AS started_at_us,
    CASE WHEN v.event = 'ended' THEN at_us END AS ended_at_us,
    v.service AS service,
    v.provider AS provider,
    v.account AS account,
    v.model AS model,
    v.operation AS operation,
    TRY_CAST(v.stream AS BOOLEAN) AS stream,
    v.request_id AS request_id,
    NULL::VARCHAR AS received_request_id,
    lower(v.trace_id) AS trace_id,
    lower(v.span_id) AS span_id,
    v.response_id AS response_id,
    v.retry_of AS retry_of,
    v.process AS process,
    input_tokens,
    max_output_tokens,
    request_bytes,
    v.outcome AS outcome,
    CASE WHEN v.outcome = 'aborted' THEN coalesce(v.reason, 'disconnect') ELSE v.reason END AS reason,
    status_code,
    bytes_received,
    output_tokens_received,
    NULL::BIGINT AS first_byte_at_us,
    NULL::BIGINT AS upstream_bytes,
    whole(v.retry_count) AS retry_count,
    file_id,
    line_no,
    getvariable('batch_id')::BIGINT AS batch_id,
    CASE
        WHEN v IS NULL THEN 'not a JSON object'
        WHEN v.event IS NULL AND v.call_id IS NULL THEN 'ignored'
        WHEN v.event IS NULL THEN 'no "event"'
        WHEN v.event NOT IN ('started', 'ended') THEN 'ignored'
        WHEN v.call_id IS NULL OR v.call_id = '' THEN 'no "call_id"'
        WHEN v.at IS NULL THEN 'no "at"'
        WHEN at_us IS NULL THEN '"at" is no instant of RFC 3339 between 2000 and 2100'
        WHEN is_no_text(v.call_id) THEN '"call_id" is no text'
        WHEN is_no_text(v.model) OR is_no_text(v.provider) THEN '"model" or "provider" is no text'
        WHEN v.stream IS NOT NULL AND v.stream NOT IN ('true', 'false') THEN '"stream" is neither true nor false'
        WHEN v.event = 'ended' AND coalesce(v.outcome, '') NOT IN ('delivered', 'aborted', 'failed')
        THEN '"outcome" is none of delivered, aborted, failed'
        WHEN v.event = 'ended' AND v.outcome = 'aborted' AND v.reason IS NOT NULL
            AND v.reason NOT IN ('interrupt', 'cancelled', 'timeout', 'disconnect', 'error')
        THEN '"reason" is none of interrupt, cancelled, timeout, disconnect, error'
        WHEN counts_nothing(v.output_tokens_received, output_tokens_received) THEN '"output_tokens_received" is no count'
        WHEN counts_nothing(v.bytes_received, bytes_received) THEN '"bytes_received" is no count'
        WHEN counts_nothing(v.status_code, status_code) THEN '"status_code" is no count'
        WHEN counts_nothing(v.input_tokens, input_tokens) OR counts_nothing(v.max_output_tokens, max_output_tokens)
            OR counts_nothing(v.request_bytes, request_bytes)
        THEN '"input_tokens", "max_output_tokens" or "request_bytes" is no count'
    END AS fate
FROM typed;
