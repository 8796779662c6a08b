-- One row per line of the batch, an audit entry: what names its call, still as text.
CREATE OR REPLACE TEMP TABLE audit_field AS
SELECT
    file_id,
    line_no,
    CASE WHEN starts_with(ltrim(line), '{') THEN TRY(json_transform(line, '{"timestamp":"VARCHAR","protoPayload":{"methodName":"VARCHAR","resourceName":"VARCHAR"},"operation":{"first":"VARCHAR","last":"VARCHAR"}}')) END AS v
FROM line_batch
