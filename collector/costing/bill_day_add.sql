-- One row per billing source, account and UTC day that has lines for the first time.
INSERT INTO bill_day
SELECT DISTINCT l.source, l.provider, l.account, l.usage_start_us // 86400000000 * 86400000000, $to_batch
FROM billing_line AS l
WHERE l.batch_id > $from_batch
    AND (l.source, l.provider, l.account, l.usage_start_us // 86400000000 * 86400000000) NOT IN (
        SELECT (source, provider, account, day_at_us) FROM bill_day
    )
ORDER BY ALL
