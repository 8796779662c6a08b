-- One row per line of the client log, with every column that the ledger keeps of it.
CREATE TABLE client AS
SELECT * FROM read_json(getvariable('path'), format = 'newline_delimited', columns = {
    event: 'VARCHAR', call_id: 'VARCHAR', "at": 'TIMESTAMPTZ', service: 'VARCHAR', provider: 'VARCHAR',
    account: 'VARCHAR', model: 'VARCHAR', operation: 'VARCHAR', stream: 'BOOLEAN', request_id: 'VARCHAR',
    trace_id: 'VARCHAR', span_id: 'VARCHAR', response_id: 'VARCHAR', retry_of: 'VARCHAR', process: 'VARCHAR',
    input_tokens: 'BIGINT', max_output_tokens: 'BIGINT', request_bytes: 'BIGINT', outcome: 'VARCHAR',
    reason: 'VARCHAR', status_code: 'BIGINT', bytes_received: 'BIGINT', output_tokens_received: 'BIGINT'
})
