-- One row per row of the export since an export time, but for those of export times already known; oldest export first.
SELECT
    UNIX_MICROS(export_time) AS export_at_us,
    TO_JSON_STRING(STRUCT(
        STRUCT(service.id AS id, service.description AS description) AS service,
        STRUCT(sku.id AS id, sku.description AS description) AS sku,
        STRUCT(project.id AS id) AS project,
        FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E6SZ', usage_start_time, 'UTC') AS usage_start_time,
        FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E6SZ', usage_end_time, 'UTC') AS usage_end_time,
        FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E6SZ', export_time, 'UTC') AS export_time,
        CAST(cost AS STRING) AS cost,
        currency AS currency,
        cost_type AS cost_type,
        STRUCT(CAST(usage.amount AS STRING) AS amount, usage.unit AS unit, usage.pricing_unit AS pricing_unit) AS `usage`,
        ARRAY(SELECT AS STRUCT CAST(credit.amount AS STRING) AS amount FROM UNNEST(credits) AS credit) AS credits
    )) AS line
FROM `the_export`
WHERE export_time >= @since
    AND (_PARTITIONTIME >= @partition_from OR _PARTITIONTIME IS NULL)
    AND UNIX_MICROS(export_time) NOT IN UNNEST(@known_us)
ORDER BY export_at_us
