-- One row per line of the batch: the fields of a completion, as text, from a row of Vertex AI's request-response table.
CREATE OR REPLACE TEMP TABLE request_response_field AS
WITH
row_of_table AS (
    SELECT
        file_id,
        line_no,
        CASE WHEN starts_with(ltrim(line), '{') THEN TRY(json_transform(line, '{"request_id":"VARCHAR","logging_time":"VARCHAR","model":"VARCHAR","api_method":"VARCHAR","metadata":"JSON","full_request":"JSON","full_response":"JSON","otel_log":"JSON"}')) END AS v
    FROM line_batch
),
-- A JSON column comes as an object or as a text that holds one, depending on what wrote the file.
opened AS (
    SELECT
        file_id,
        line_no,
        v,
        CASE WHEN json_type(v.metadata) = 'VARCHAR' THEN TRY((v.metadata ->> '$')::JSON) ELSE v.metadata END AS metadata,
        CASE WHEN json_type(v.full_request) = 'VARCHAR' THEN TRY((v.full_request ->> '$')::JSON) ELSE v.full_request END
            AS request,
        CASE WHEN json_type(v.full_response) = 'VARCHAR' THEN TRY((v.full_response ->> '$')::JSON) ELSE v.full_response END
            AS response,
        CASE WHEN json_type(v.otel_log) = 'VARCHAR' THEN TRY((v.otel_log ->> '$')::JSON) ELSE v.otel_log END AS otel
    FROM row_of_table
),
-- Gemini counts in usageMetadata, Claude in usage; what tools put in is counted beside the prompt.
counted AS (
    SELECT
        *,
        coalesce(response ->> '$.usageMetadata.promptTokenCount', response ->> '$.usage.input_tokens') AS prompt_tokens,
        response ->> '$.usageMetadata.toolUsePromptTokenCount' AS tool_tokens,
        metadata ->> '$.request_latency' AS latency_ms
    FROM opened
)
SELECT
    file_id,
    line_no,
    v IS NOT NULL AS is_object,
    regexp_replace(v.request_id, '\.0*$', '') AS completion_id,
    request ->> '$.labels.request_id' AS request_id,
    coalesce(otel ->> '$.traceId', request ->> '$.labels.trace_id') AS trace_id,
    request ->> '$.labels.span_id' AS span_id,
    coalesce(response ->> '$.responseId', response ->> '$.id') AS response_id,
    v.model AS model,
    CASE WHEN v.api_method IS NOT NULL THEN CASE WHEN contains(lower(v.api_method), 'stream') THEN 'true' ELSE 'false' END END
        AS stream,
    NULL::VARCHAR AS status,
    coalesce(response ->> '$.error.status', response ->> '$.error.code') AS error_code,
    v.logging_time AS finished_at,
    coalesce((TRY_CAST(latency_ms AS DECIMAL(18, 6)) * 0.001)::VARCHAR, latency_ms) AS latency,
    NULL::VARCHAR AS first_byte_at,
    CASE WHEN whole(tool_tokens) > 0 THEN (whole(prompt_tokens) + whole(tool_tokens))::VARCHAR ELSE prompt_tokens END
        AS input_tokens,
    coalesce(response ->> '$.usageMetadata.cachedContentTokenCount', response ->> '$.usage.cache_read_input_tokens')
        AS cached_input_tokens,
    coalesce(response ->> '$.usageMetadata.candidatesTokenCount', response ->> '$.usage.output_tokens') AS output_tokens,
    response ->> '$.usageMetadata.thoughtsTokenCount' AS thinking_tokens,
    NULL::VARCHAR AS images,
    response ->> '$.usageMetadata.trafficType' AS price_class,
    $account::VARCHAR AS account,
    NULL::VARCHAR AS log_name,
    NULL::VARCHAR AS insert_id
FROM counted
