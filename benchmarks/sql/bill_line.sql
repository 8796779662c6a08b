-- One row per hour, account, model and usage kind: a row of the billing export. A hundredth more than any log showed.
WITH
price AS (
    SELECT unnest([
        {'model': 'acme-chat-1', 'kind': 'input', 'nano': 300}, {'model': 'acme-chat-1', 'kind': 'cached_input', 'nano': 30},
        {'model': 'acme-chat-1', 'kind': 'output', 'nano': 2500}, {'model': 'acme-mini-1', 'kind': 'input', 'nano': 75},
        {'model': 'acme-mini-1', 'kind': 'cached_input', 'nano': 8}, {'model': 'acme-mini-1', 'kind': 'output', 'nano': 300},
        {'model': 'acme-reason-1', 'kind': 'input', 'nano': 1250},
        {'model': 'acme-reason-1', 'kind': 'cached_input', 'nano': 125},
        {'model': 'acme-reason-1', 'kind': 'output', 'nano': 10000},
        {'model': 'acme-reason-1', 'kind': 'thinking', 'nano': 10000}
    ], recursive := true)
),
billed AS (
    SELECT hour_us, account, model, kind, (sum(units) * 101 // 100)::BIGINT AS units
    FROM usage
    WHERE hour_us >= $from_us AND hour_us < $to_us
    GROUP BY ALL
),
charged AS (
    SELECT b.*, b.units * p.nano AS cost_nano
    FROM billed AS b
    JOIN price AS p USING (model, kind)
)
SELECT
    to_json({
        'billing_account_id': '01ABCD-2EF345-67890A',
        'service': {'id': 'C7E2-9256-1C43', 'description': 'Vertex AI'},
        'sku': {
            'id': 'ACME-' || upper(left(md5(model || kind), 8)),
            'description': 'Acme ' || model || CASE kind WHEN 'input' THEN ' Input' WHEN 'cached_input' THEN ' Cached Input'
                WHEN 'output' THEN ' Output' ELSE ' Thinking Output' END || ' Tokens'
        },
        'usage_start_time': bill_instant(hour_us), 'usage_end_time': bill_instant(hour_us + 3600000000),
        'project': {'id': account, 'number': '123456789', 'name': account, 'labels': []},
        'labels': [], 'system_labels': [], 'location': {'location': 'global'},
        'export_time': bill_instant(hour_us + 10800000000),
        'cost': (cost_nano // 1000000000)::VARCHAR || '.' || lpad((cost_nano % 1000000000)::VARCHAR, 9, '0'),
        'currency': 'USD', 'currency_conversion_rate': 1.0,
        'usage': {
            'amount': units, 'unit': 'count', 'amount_in_pricing_units': units / 1000000, 'pricing_unit': '1000000 count'
        },
        'credits': [], 'invoice': {'month': strftime(make_timestamp(hour_us), '%Y%m')}, 'cost_type': 'regular',
        'transaction_type': 'GOOGLE'
    })::VARCHAR || chr(10) AS line
FROM charged
ORDER BY hour_us, account, model, kind
