-- One row per Cloud Logging entry of the backend; a few are delivered twice.
WITH told AS (
    SELECT
        finished_at_us + 1000000 AS at_us, logged_twice,
        to_json({
            'insertId': insert_id, 'logName': 'projects/' || account || '/logs/inference',
            'timestamp': rfc3339(finished_at_us), 'receiveTimestamp': rfc3339(finished_at_us + 1000000),
            'severity': 'INFO', 'resource': {'type': 'generic_task', 'labels': {'project_id': account}},
            'trace': 'projects/' || account || '/traces/' || trace_id, 'spanId': span_id,
            'httpRequest': {'requestMethod': 'POST', 'latency': seconds_text(finished_at_us - received_at_us) || 's'},
            'jsonPayload': {
                'request_id': request_id, 'model': model, 'stream': stream, 'status': status,
                'usage': {
                    'input_tokens': input_tokens, 'cached_input_tokens': cached_tokens,
                    'output_tokens': output_tokens, 'thinking_tokens': thinking_tokens
                }
            }
        })::VARCHAR AS line
    FROM call
)
SELECT line || chr(10) AS line
FROM (SELECT at_us, line FROM told UNION ALL SELECT at_us + 5000000, line FROM told WHERE logged_twice)
ORDER BY at_us, line
