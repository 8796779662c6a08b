-- One row per account: the currency of its newest bill.
CREATE OR REPLACE TEMP TABLE account_currency AS
SELECT provider, account, arg_max(currency, (usage_start_us, currency)) AS currency
FROM billing_line
WHERE counts AND model <> ''
GROUP BY provider, account
