-- One row per account: how far its bill and its completion logs reach.
CREATE OR REPLACE TEMP TABLE waiting_account AS
WITH
-- rows of other services tell, too, how far the bill of the account has come
reach AS (
    SELECT source, account, coalesce(max(export_at_us), max(usage_end_us)) AS bill_at_us
    FROM bill_line
    GROUP BY source, account
),
billed AS (SELECT DISTINCT source, provider, account FROM bill_line)
SELECT
    b.provider, b.account, max(r.bill_at_us) AS bill_at_us,
    coalesce(min(s.watermark_at_us), $now_us) AS log_at_us, count(s.provider) > 0 AS is_logged
FROM billed AS b
JOIN reach AS r ON r.source = b.source AND r.account = b.account
LEFT JOIN completion_source AS s ON s.provider = b.provider
GROUP BY b.provider, b.account
