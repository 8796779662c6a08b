-- One row per row of a request-response table since an instant, but for those of minutes already known; oldest minute first. No prompt and no answer is selected.
SELECT
    UNIX_MICROS(TIMESTAMP_TRUNC(logging_time, MINUTE)) AS minute_us,
    TO_JSON_STRING(STRUCT(
        CAST(request_id AS STRING) AS request_id,
        FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E6SZ', logging_time, 'UTC') AS logging_time,
        model AS model,
        api_method AS api_method,
        STRUCT(JSON_VALUE(otel_log, '$.traceId') AS `traceId`) AS otel_log,
        STRUCT(JSON_VALUE(metadata, '$.request_latency') AS request_latency) AS metadata,
        STRUCT(STRUCT(
            JSON_VALUE(full_request, '$.labels.request_id') AS request_id,
            JSON_VALUE(full_request, '$.labels.trace_id') AS trace_id,
            JSON_VALUE(full_request, '$.labels.span_id') AS span_id
        ) AS labels) AS full_request,
        STRUCT(
            JSON_VALUE(full_response, '$.responseId') AS `responseId`,
            JSON_VALUE(full_response, '$.id') AS id,
            STRUCT(
                JSON_VALUE(full_response, '$.error.status') AS status,
                JSON_VALUE(full_response, '$.error.code') AS code
            ) AS error,
            STRUCT(
                JSON_VALUE(full_response, '$.usageMetadata.promptTokenCount') AS `promptTokenCount`,
                JSON_VALUE(full_response, '$.usageMetadata.toolUsePromptTokenCount') AS `toolUsePromptTokenCount`,
                JSON_VALUE(full_response, '$.usageMetadata.cachedContentTokenCount') AS `cachedContentTokenCount`,
                JSON_VALUE(full_response, '$.usageMetadata.candidatesTokenCount') AS `candidatesTokenCount`,
                JSON_VALUE(full_response, '$.usageMetadata.thoughtsTokenCount') AS `thoughtsTokenCount`,
                JSON_VALUE(full_response, '$.usageMetadata.trafficType') AS `trafficType`
            ) AS `usageMetadata`,
            STRUCT(
                JSON_VALUE(full_response, '$.usage.input_tokens') AS input_tokens,
                JSON_VALUE(full_response, '$.usage.cache_read_input_tokens') AS cache_read_input_tokens,
                JSON_VALUE(full_response, '$.usage.output_tokens') AS output_tokens
            ) AS `usage`
        ) AS full_response
    )) AS line
FROM `the_export`
WHERE logging_time >= @since
    AND (_PARTITIONTIME >= @partition_from OR _PARTITIONTIME IS NULL)
    AND UNIX_MICROS(TIMESTAMP_TRUNC(logging_time, MINUTE)) NOT IN UNNEST(@known_us)
ORDER BY minute_us
