-- One row per row of the bill that counts: no repeated delivery, and one source an account and day.
CREATE OR REPLACE TEMP VIEW bill_line AS
SELECT l.*
FROM billing_line AS l
ANTI JOIN overshadowed AS o
    ON o.source = l.source AND o.provider = l.provider AND o.account = l.account
    AND o.day_at_us = l.usage_start_us // 86400000000 * 86400000000
WHERE l.counts
