-- One row per model and hour whose logged usage is needed again.
CREATE OR REPLACE TEMP TABLE touched_hour AS
SELECT DISTINCT provider, account, model, hour_at_us
FROM (
    SELECT
        provider, account, model,
        unnest(generate_series(usage_start_us // 3600000000 * 3600000000, usage_end_us - 1, 3600000000)) AS hour_at_us
    FROM touched_period
    WHERE usage_end_us > usage_start_us AND usage_end_us - usage_start_us <= 2764800000000
    UNION ALL
    SELECT provider, account, model, at_us // 3600000000 * 3600000000 FROM touched_point
)
