-- One row per line of the proxy's log, with every column that the ledger keeps of it.
CREATE TABLE edge AS
SELECT * FROM read_json(getvariable('path'), format = 'newline_delimited', columns = {
    msec: 'DECIMAL(18, 3)', request_id: 'VARCHAR', request_method: 'VARCHAR', request_uri: 'VARCHAR',
    status: 'BIGINT', request_time: 'DECIMAL(18, 3)', bytes_sent: 'BIGINT', request_completion: 'VARCHAR',
    upstream_status: 'VARCHAR', upstream_header_time: 'VARCHAR', upstream_response_time: 'VARCHAR',
    upstream_bytes_received: 'VARCHAR', http_traceparent: 'VARCHAR', http_x_request_id: 'VARCHAR', service: 'VARCHAR'
})
