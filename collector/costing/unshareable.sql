-- One row per settled bucket whose cost cannot be shared out, said once.
INSERT INTO problem
WITH said AS (
    SELECT
        'bill' AS source,
        strftime(make_timestamp(usage_start_us), '%Y-%m-%dT%H:%M:%SZ') || ' ' || concat_ws(' ', provider, account, model,
            usage_kind, price_class, currency) AS place,
        CASE
            WHEN NOT usage_known THEN 'billed in a unit that the logs do not count'
            WHEN billed_nano < 0 THEN 'billed with a negative cost'
            ELSE 'billed with no usage'
        END AS message
    FROM full_bucket
    WHERE NOT is_context AND settled AND NOT shareable AND model <> ''
)
SELECT source, 'cost not shared out', place, message || ': all of it is unattributed', $now_us, '', $run_id
FROM said
WHERE (place, message || ': all of it is unattributed') NOT IN (
    SELECT (place, message) FROM problem WHERE kind = 'cost not shared out'
)
ORDER BY place
