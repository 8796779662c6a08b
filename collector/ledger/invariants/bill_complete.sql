-- One row per charge period that was drawn again and whose buckets do not add up to its billing lines.
WITH
drawn AS (
    SELECT provider, account, model, usage_kind, currency, usage_start_us, usage_end_us, sum(billed_nano) AS nano
    FROM bucket_drawn
    WHERE billed_nano IS NOT NULL
    GROUP BY ALL
),
line AS (
    SELECT
        provider, account, model, usage_kind, currency, usage_start_us, usage_end_us,
        sum(cost_nano::HUGEINT + CASE WHEN $with_credits THEN credit_nano ELSE 0 END) AS nano
    FROM bill_line
    WHERE (provider, account, model, usage_kind, usage_start_us, usage_end_us) IN (
        SELECT (provider, account, model, usage_kind, usage_start_us, usage_end_us)
        FROM touched_period
        WHERE NOT is_context
    )
    GROUP BY ALL
)
SELECT *, l.nano AS line_nano
FROM drawn AS d
FULL OUTER JOIN line AS l USING (provider, account, model, usage_kind, currency, usage_start_us, usage_end_us)
WHERE l.nano IS DISTINCT FROM d.nano
