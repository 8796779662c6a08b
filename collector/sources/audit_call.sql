-- One row per inference call that an audit entry of the batch shows: its model, its method, and about when it began.
CREATE OR REPLACE TEMP VIEW audit_call AS
SELECT
    file_id,
    line_no,
    split_part(v.protoPayload.resourceName, '/', -1) AS model,
    split_part(v.protoPayload.methodName, '.', -1) AS method,
    instant_us(v.timestamp) AS started_at_us
FROM audit_field
WHERE contains(v.protoPayload.methodName, 'PredictionService.')
    AND split_part(v.protoPayload.methodName, '.', -1) NOT IN ('CountTokens', 'ComputeTokens', 'FetchPredictOperation')
    -- a long-running operation has an entry for each end
    AND NOT (coalesce(v.operation.last, '') = 'true' AND coalesce(v.operation.first, '') <> 'true')
