-- One row per Cloud Logging entry, with every column that the ledger keeps of it.
CREATE TABLE backend AS
SELECT
    insertId, logName, "timestamp", trace, spanId, httpRequest.latency AS latency,
    resource.labels.project_id AS project_id, jsonPayload.request_id AS request_id,
    jsonPayload.response_id AS response_id, jsonPayload.model AS model, jsonPayload.stream AS stream,
    jsonPayload.status AS status, jsonPayload.price_class AS price_class,
    jsonPayload.usage.input_tokens AS input_tokens, jsonPayload.usage.cached_input_tokens AS cached_input_tokens,
    jsonPayload.usage.output_tokens AS output_tokens, jsonPayload.usage.thinking_tokens AS thinking_tokens,
    jsonPayload.usage.images AS images
FROM read_json(getvariable('path'), format = 'newline_delimited', columns = {
    insertId: 'VARCHAR', logName: 'VARCHAR', "timestamp": 'TIMESTAMPTZ', trace: 'VARCHAR', spanId: 'VARCHAR',
    httpRequest: 'STRUCT(latency VARCHAR)', resource: 'STRUCT(labels STRUCT(project_id VARCHAR))',
    jsonPayload: 'STRUCT(request_id VARCHAR, response_id VARCHAR, model VARCHAR, stream BOOLEAN, status VARCHAR, price_class VARCHAR, usage STRUCT(input_tokens BIGINT, cached_input_tokens BIGINT, output_tokens BIGINT, thinking_tokens BIGINT, images BIGINT))'
})
