-- One row per model, and who names it: the completion logs, or the bill.
SELECT DISTINCT 'log' AS side, provider, model FROM usage_slot
UNION
SELECT DISTINCT 'bill', provider, model FROM bill_line WHERE model <> ''
ORDER BY ALL
