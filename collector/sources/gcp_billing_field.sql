-- One row per line of the batch, its columns still as text; a row is known again by all of them together.
CREATE OR REPLACE TEMP TABLE gcp_billing_field AS
SELECT
    file_id,
    line_no,
    CASE WHEN starts_with(ltrim(line), '{') THEN TRY(json_transform(line, '{"billing_account_id":"VARCHAR","service":{"id":"VARCHAR","description":"VARCHAR"},"sku":{"id":"VARCHAR","description":"VARCHAR"},"usage_start_time":"VARCHAR","usage_end_time":"VARCHAR","project":{"id":"VARCHAR","number":"VARCHAR","name":"VARCHAR","labels":"JSON"},"labels":"JSON","system_labels":"JSON","tags":"JSON","location":"JSON","resource":"JSON","export_time":"VARCHAR","cost":"VARCHAR","currency":"VARCHAR","currency_conversion_rate":"VARCHAR","usage":{"amount":"VARCHAR","unit":"VARCHAR","amount_in_pricing_units":"VARCHAR","pricing_unit":"VARCHAR"},"credits":[{"id":"VARCHAR","name":"VARCHAR","type":"VARCHAR","full_name":"VARCHAR","amount":"VARCHAR"}],"invoice":"JSON","cost_type":"VARCHAR","adjustment_info":"JSON","price":"JSON","transaction_type":"VARCHAR","seller_name":"VARCHAR","subscription":"JSON","consumption_model":"JSON","cost_at_list":"VARCHAR"}')) END AS v
FROM line_batch
