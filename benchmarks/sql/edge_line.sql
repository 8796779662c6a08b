-- One row per line of the proxy in front of the backend, for the calls that went through it.
WITH seen AS (
    SELECT *, CASE WHEN fate = 'delivered' THEN finished_at_us + 2000 ELSE left_at_us END AS gone_at_us
    FROM call
    WHERE through_edge
)
SELECT
    to_json({
        'msec': seconds_text(gone_at_us), 'request_id': request_id, 'request_method': 'POST',
        'request_uri': '/' || account || '/v1/models/' || model || ':generateContent',
        'status': CASE WHEN fate = 'delivered' THEN '200' ELSE '499' END,
        'request_time': seconds_text(gone_at_us - started_at_us), 'bytes_sent': (received_tokens * 4)::VARCHAR,
        'request_completion': CASE WHEN fate = 'delivered' THEN 'OK' ELSE '' END,
        'upstream_status': CASE WHEN fate = 'delivered' THEN '200' ELSE '-' END,
        'upstream_header_time': CASE WHEN fate = 'delivered' THEN seconds_text(finished_at_us - started_at_us) ELSE '-' END,
        'upstream_response_time': seconds_text(gone_at_us - started_at_us),
        'upstream_bytes_received': (received_tokens * 4)::VARCHAR,
        'http_traceparent': '00-' || trace_id || '-' || span_id || '-01', 'http_x_request_id': '-'
    })::VARCHAR || chr(10) AS line
FROM seen
ORDER BY gone_at_us, line
