-- One row per billing source, account and day for which a source that is listed earlier has a bill as well.
CREATE OR REPLACE TEMP TABLE overshadowed AS
SELECT
    d.source, d.provider, d.account, d.day_at_us, arg_min(e.source, f.listed_no) AS counting_source,
    max(greatest(d.batch_id, e.batch_id)) > $from_batch AS is_new
FROM bill_day AS d
JOIN bill_source AS b ON b.source = d.source
JOIN bill_day AS e ON e.provider = d.provider AND e.account = d.account AND e.day_at_us = d.day_at_us
JOIN bill_source AS f ON f.source = e.source AND f.listed_no < b.listed_no
GROUP BY d.source, d.provider, d.account, d.day_at_us
