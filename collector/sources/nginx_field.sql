-- One row per line of the batch, its variables still as text; parsed once, used twice.
CREATE OR REPLACE TEMP TABLE nginx_field AS
SELECT
    file_id,
    line_no,
    CASE WHEN starts_with(ltrim(line), '{') THEN TRY(json_transform(line, '{"msec":"VARCHAR","request_id":"VARCHAR","request_method":"VARCHAR","request_uri":"VARCHAR","status":"VARCHAR","request_time":"VARCHAR","bytes_sent":"VARCHAR","request_completion":"VARCHAR","upstream_status":"VARCHAR","upstream_header_time":"VARCHAR","upstream_response_time":"VARCHAR","upstream_bytes_received":"VARCHAR","http_traceparent":"VARCHAR","http_x_request_id":"VARCHAR","http_x_stainless_retry_count":"VARCHAR","service":"VARCHAR"}')) END AS v
FROM line_batch
