-- One row per line of the client log: where a call started, and where it ended unless its process vanished.
WITH told AS (
    SELECT
        started_at_us AS at_us,
        to_json({
            'event': 'started', 'call_id': call_id, 'at': rfc3339(started_at_us), 'service': service,
            'provider': 'gcp.vertex_ai', 'account': account, 'model': model, 'operation': 'generate_content',
            'stream': stream, 'request_id': request_id, 'trace_id': trace_id, 'span_id': span_id, 'retry_of': NULL
        })::VARCHAR AS line
    FROM call
    UNION ALL
    SELECT
        ended_at_us,
        to_json({
            'event': 'ended', 'call_id': call_id, 'at': rfc3339(ended_at_us),
            'outcome': fate, 'reason': reason, 'status_code': CASE WHEN fate = 'delivered' THEN 200 END,
            'bytes_received': received_tokens * 4, 'output_tokens_received': received_tokens, 'response_id': NULL
        })::VARCHAR
    FROM call
    WHERE ended_at_us IS NOT NULL
)
SELECT line || chr(10) AS line FROM told ORDER BY at_us, line
