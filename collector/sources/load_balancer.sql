-- One row per entry of the batch: whether a load balancer wrote it, and how the call ended. Never judged by the status alone.
-- Source: docs.cloud.google.com/load-balancing/docs/https/https-logging-monitoring (statusDetails), RFC 9209 (proxyStatus).
CREATE OR REPLACE TEMP VIEW request_judged AS
WITH told AS (
    SELECT
        file_id,
        line_no,
        v,
        v.resource.type IN ('http_load_balancer', 'http_external_regional_lb_rule', 'internal_http_lb_rule') AS is_wanted,
        coalesce(nullif(v.resource.labels.backend_service_name, ''), nullif(v.resource.labels.backend_target_name, ''))
            AS service_label,
        coalesce(v.jsonPayload.statusDetails, '') AS details,
        coalesce(v.jsonPayload.proxyStatus, '') AS proxy_status
    FROM request_field
)
SELECT
    file_id,
    line_no,
    v,
    is_wanted,
    service_label,
    CASE
        WHEN starts_with(details, 'client_disconnected_') OR contains(proxy_status, 'client_disconnected') THEN 'disconnect'
        WHEN details = 'backend_timeout' OR contains(proxy_status, 'http_response_timeout') THEN 'timeout'
    END AS reason,
    -- the backend broke an answer off whose status had already been sent
    details IN ('backend_connection_closed_after_partial_response_sent', 'backend_response_corrupted') AS is_broken,
    details = 'client_disconnected_before_any_response'
        OR contains(proxy_status, 'client_disconnected_before_any_response') AS is_unanswered
FROM told
