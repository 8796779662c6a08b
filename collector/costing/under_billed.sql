-- One row per settled bucket that was billed for less than nine tenths of what the logs show, said once.
INSERT INTO problem
WITH said AS (
    SELECT
        strftime(make_timestamp(usage_start_us), '%Y-%m-%dT%H:%M:%SZ') || ' ' || concat_ws(' ', provider, account, model,
            usage_kind, price_class, currency) AS place,
        billed_micro, logged_micro
    FROM full_bucket
    WHERE NOT is_context AND settled AND shareable AND billed_micro * 10 < logged_micro * 9
)
SELECT
    'bill', 'billed less than logged', place,
    'the settled bill shows less than nine tenths of the logged usage: the estimate is taken as the high bound',
    $now_us, 'billed ' || billed_micro // 1000000 || ', logged ' || logged_micro // 1000000, $run_id
FROM said
WHERE place NOT IN (SELECT place FROM problem WHERE kind = 'billed less than logged')
ORDER BY place
