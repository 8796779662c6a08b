-- One row per account and day that two sources bill, said once, with both their totals.
INSERT INTO problem
WITH total AS (
    SELECT
        source, provider, account, usage_start_us // 86400000000 * 86400000000 AS day_at_us, currency,
        sum(cost_nano::HUGEINT + credit_nano) AS nano
    FROM billing_line
    WHERE counts AND (provider, account) IN (SELECT (provider, account) FROM overshadowed WHERE is_new)
    GROUP BY ALL
)
SELECT
    o.source, 'two bills', concat_ws(' ', o.provider, o.account, strftime(make_timestamp(o.day_at_us), '%Y-%m-%d')),
    'the source ' || o.counting_source || ', which is listed first, bills the same account and day: only that one counts',
    $now_us,
    string_agg(t.source || ': ' || CAST(t.nano AS DECIMAL(38, 9)) / 1000000000 || ' ' || t.currency, ', ' ORDER BY t.source, t.currency),
    $run_id
FROM overshadowed AS o
JOIN total AS t
    ON t.provider = o.provider AND t.account = o.account AND t.day_at_us = o.day_at_us
    AND t.source IN (o.source, o.counting_source)
WHERE o.is_new
GROUP BY o.source, o.counting_source, o.provider, o.account, o.day_at_us
ORDER BY o.day_at_us, o.provider, o.account
