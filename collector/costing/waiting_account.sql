-- One row per account: how far its bill and its completion logs reach.
CREATE OR REPLACE TEMP TABLE waiting_account AS
WITH reach AS (
    SELECT provider, account, coalesce(max(export_at_us), max(usage_end_us)) AS bill_at_us
    FROM billing_line
    WHERE counts
    GROUP BY provider, account
)
SELECT r.provider, r.account, r.bill_at_us, coalesce(min(s.watermark_at_us), $now_us) AS log_at_us
FROM reach AS r
LEFT JOIN completion_source AS s ON s.provider = r.provider
GROUP BY ALL
