-- One row per row of the billing export.
CREATE TABLE bill AS
SELECT
    service.description AS service, sku.description AS sku, project.id AS account, usage_start_time, usage_end_time,
    export_time, cost, currency, "usage".amount AS usage_amount, "usage".unit AS usage_unit, cost_type, credits
FROM read_json(getvariable('path'), format = 'newline_delimited', columns = {
    service: 'STRUCT(id VARCHAR, description VARCHAR)', sku: 'STRUCT(id VARCHAR, description VARCHAR)',
    project: 'STRUCT(id VARCHAR)', usage_start_time: 'VARCHAR', usage_end_time: 'VARCHAR', export_time: 'VARCHAR',
    cost: 'VARCHAR', currency: 'VARCHAR', "usage": 'STRUCT(amount VARCHAR, unit VARCHAR)', cost_type: 'VARCHAR',
    credits: 'STRUCT("name" VARCHAR, amount VARCHAR)[]'
})
