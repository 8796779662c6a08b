-- One row per account: the currency of its newest bill.
CREATE OR REPLACE TEMP TABLE account_currency AS
SELECT provider, account, arg_max(currency, (usage_start_us, currency)) AS currency
FROM bill_line
WHERE model <> ''
GROUP BY provider, account
