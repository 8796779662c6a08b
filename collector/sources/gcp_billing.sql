-- One row per line of the batch: the row of the bill that it is, or its fate.
CREATE OR REPLACE TEMP VIEW gcp_billing_parsed AS
WITH typed AS (
    SELECT
        f.file_id, f.line_no, f.v, r.*,
        nano(f.v.cost) AS cost_nano,
        list_sum(list_transform(f.v.credits, c -> coalesce(nano(c.amount), 0))) AS credit_nano,
        len(list_filter(f.v.credits, c -> nano(c.amount) IS NULL)) AS bad_credits,
        TRY_CAST(coalesce(f.v.usage.amount, '0') AS DECIMAL(38, 12)) AS amount,
        instant_us(f.v.usage_start_time) AS usage_start_us,
        instant_us(f.v.usage_end_time) AS usage_end_us,
        instant_us(f.v.export_time) AS export_at_us
    FROM gcp_billing_field AS f
    LEFT JOIN sku_reading AS r
        ON r.service = coalesce(f.v.service.description, '') AND r.service_id = coalesce(f.v.service.id, '')
        AND r.sku = coalesce(f.v.sku.description, '') AND r.unit = coalesce(f.v.usage.unit, '')
        AND r.pricing_unit = coalesce(f.v.usage.pricing_unit, '')
)
SELECT
    getvariable('source')::VARCHAR AS source,
    coalesce(provider, '') AS provider,
    coalesce(v.project.id, '') AS account,
    v.service.description AS service,
    v.sku.description AS sku,
    CASE WHEN usage_kind IS NULL THEN '' ELSE coalesce(model, '') END AS model,
    CASE WHEN coalesce(model, '') = '' THEN '' ELSE coalesce(usage_kind, '') END AS usage_kind,
    CASE WHEN coalesce(model, '') <> '' AND usage_kind IS NOT NULL THEN price_class END AS price_class,
    v.currency AS currency,
    TRY_CAST(cost_nano AS BIGINT) AS cost_nano,
    TRY_CAST(coalesce(credit_nano, 0) AS BIGINT) AS credit_nano,
    CAST(coalesce(amount, 0) * coalesce(numerator, 1) * 1000000 AS HUGEINT) // coalesce(denominator, 1) AS usage_micro,
    numerator IS NOT NULL OR amount = 0 AS usage_known,
    usage_start_us,
    usage_end_us,
    export_at_us,
    v.cost_type AS cost_type,
    md5(v::VARCHAR) AS row_hash,
    file_id,
    line_no,
    getvariable('batch_id')::BIGINT AS batch_id,
    CASE
        WHEN v IS NULL THEN 'not a JSON object'
        WHEN v.cost IS NULL AND v.usage_start_time IS NULL THEN 'ignored'
        WHEN v.cost IS NULL THEN 'no "cost"'
        WHEN cost_nano IS NULL OR abs(cost_nano) > 1000000000000000000
        THEN '"cost" is no decimal amount below a thousand million'
        WHEN v.currency IS NULL OR length(v.currency) <> 3 THEN '"currency" is no code of three letters'
        WHEN usage_start_us IS NULL THEN '"usage_start_time" is no instant between 2000 and 2100'
        WHEN usage_end_us IS NULL THEN '"usage_end_time" is no instant between 2000 and 2100'
        WHEN usage_end_us <= usage_start_us THEN '"usage_end_time" is not after "usage_start_time"'
        WHEN v.export_time IS NOT NULL AND export_at_us IS NULL THEN '"export_time" is no instant'
        WHEN bad_credits > 0 THEN 'a credit without a decimal amount'
        WHEN abs(credit_nano) > 1000000000000000000 THEN 'credits of more than a thousand million'
        WHEN amount IS NULL OR abs(amount) > 1000000000000000 THEN '"usage.amount" is no amount'
    END AS fate
FROM typed;
