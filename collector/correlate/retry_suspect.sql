-- One row per touched suspect, with what it may share with the attempts around it.
CREATE OR REPLACE TEMP TABLE retry_suspect AS
SELECT
    suspect_no, source, call_id, started_at_us, ended_at_us, coalesce(ended_at_us, started_at_us) AS left_at_us,
    concat_ws('|', coalesce(service, ''), coalesce(provider, ''), coalesce(account, ''), model,
        coalesce(operation, ''), coalesce(stream::VARCHAR, '')) AS kind,
    coalesce(received_request_id, request_id) AS shared_id, retry_of, input_tokens, request_bytes,
    coalesce(retry_count, 0) AS retry_count
FROM suspect
WHERE suspect_no IN (SELECT suspect_no FROM retry_touched)
