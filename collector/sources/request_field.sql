-- One row per line of the batch, an entry of one of Google's proxies: its fields still as text; parsed once, used twice.
CREATE OR REPLACE TEMP TABLE request_field AS
SELECT
    file_id,
    line_no,
    CASE WHEN starts_with(ltrim(line), '{') THEN TRY(json_transform(line, '{"logName":"VARCHAR","timestamp":"VARCHAR","insertId":"VARCHAR","trace":"VARCHAR","spanId":"VARCHAR","resource":{"type":"VARCHAR","labels":{"backend_service_name":"VARCHAR","backend_target_name":"VARCHAR","service_name":"VARCHAR"}},"httpRequest":{"requestMethod":"VARCHAR","requestUrl":"VARCHAR","status":"VARCHAR","responseSize":"VARCHAR","latency":"VARCHAR"},"jsonPayload":{"statusDetails":"VARCHAR","proxyStatus":"VARCHAR"}}')) END AS v
FROM line_batch
