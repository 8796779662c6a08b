-- One row per run, account of the bill, usage day, kind of entry, service and part: what that run put there, in nano-units.
WITH
-- What each version of a bucket puts into the books: nothing unless it is settled.
bucket_version AS (
    SELECT
        *, settled AND NOT retracted AND billed_nano IS NOT NULL AS stands,
        CASE WHEN stands
            THEN [-billed_nano, delivered_nano, orphaned_nano, cut_short_nano, failed_nano, unattributed_nano]
            ELSE [0, 0, 0, 0, 0, 0]::HUGEINT[]
        END AS nanos
    FROM bucket
    WHERE recorded_at_us <= $now_us
),
-- A period of the bill is booked on its day once; a class or a figure that changes later is a correction.
bucket_step AS (
    SELECT
        run_id, recorded_at_us, provider, account, currency, usage_start_us // 86400000000 * 86400000000 AS day_at_us,
        run_id > min(run_id) FILTER (stands) OVER (
            PARTITION BY provider, account, model, usage_kind, currency, usage_start_us, usage_end_us
        ) AS corrects,
        nanos, lag(nanos, 1, [0, 0, 0, 0, 0, 0]::HUGEINT[]) OVER (
            PARTITION BY provider, account, model, usage_kind, price_class, currency, usage_start_us, usage_end_us
            ORDER BY run_id
        ) AS nanos_before
    FROM bucket_version
),
bucket_move AS (
    SELECT
        run_id, recorded_at_us, provider, account, currency, day_at_us, corrects, NULL AS service,
        unnest(['billed', 'delivered', 'orphaned', 'cut_short', 'failed', 'unattributed']) AS part,
        unnest(list_transform(list_zip(nanos, nanos_before), lambda pair: pair[1] - pair[2])) AS nano
    FROM bucket_step
    WHERE nanos <> nanos_before
),
-- What each version of a verdict gives to a service: nothing unless all of its money is billed.
verdict_version AS (
    SELECT
        run_id, recorded_at_us, suspect_no, provider, coalesce(account, '') AS account, currency, service, verdict AS part,
        coalesce(finished_at_us, ended_at_us, started_at_us) // 86400000000 * 86400000000 AS day_at_us,
        CASE
            WHEN retracted OR NOT money_row OR basis IS DISTINCT FROM 'billed' OR service IS NULL OR service = '' THEN 0
            WHEN verdict IN ('orphaned', 'cut_short') THEN orphaned_nano
            WHEN verdict = 'failed' THEN cost_nano
            ELSE 0
        END AS nano
    FROM verdict
    WHERE recorded_at_us <= $now_us
),
verdict_step AS (
    SELECT
        *, lag({
            'provider': provider, 'account': account, 'currency': currency, 'service': service, 'part': part,
            'day_at_us': day_at_us, 'nano': nano
        }) OVER (PARTITION BY suspect_no ORDER BY run_id) AS before,
        coalesce(bool_or(nano <> 0) OVER (
            PARTITION BY suspect_no ORDER BY run_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), false) AS booked_before
    FROM verdict_version
),
service_move AS (
    SELECT run_id, recorded_at_us, provider, account, currency, day_at_us, booked_before, service, part, nano
    FROM verdict_step
    WHERE nano <> 0
    UNION ALL
    SELECT run_id, recorded_at_us, before.provider, before.account, before.currency, before.day_at_us, booked_before,
        before.service, before.part, -before.nano
    FROM verdict_step
    WHERE before.nano <> 0
),
-- A service's part is dated like the booking that it belongs to, and is taken from what no service has yet.
booking AS (
    SELECT DISTINCT run_id, provider, account, currency, day_at_us FROM bucket_move WHERE NOT corrects
),
dated_move AS (
    SELECT m.* EXCLUDE (booked_before), m.booked_before OR b.run_id IS NULL AS corrects
    FROM service_move AS m
    LEFT JOIN booking AS b
        ON b.run_id = m.run_id AND b.provider = m.provider AND b.account = m.account AND b.currency = m.currency
        AND b.day_at_us = m.day_at_us
),
moved AS (
    SELECT run_id, recorded_at_us, day_at_us, corrects, provider, account, currency, service, part, nano
    FROM bucket_move
    UNION ALL
    SELECT run_id, recorded_at_us, day_at_us, corrects, provider, account, currency, service, part, nano
    FROM dated_move
    UNION ALL
    SELECT run_id, recorded_at_us, day_at_us, corrects, provider, account, currency, NULL, part, -nano
    FROM dated_move
)
SELECT
    run_id, recorded_at_us, day_at_us, corrects, provider, account, currency, service, part, CAST(sum(nano) AS HUGEINT) AS nano
FROM moved
GROUP BY ALL
HAVING sum(nano) <> 0
ORDER BY run_id, recorded_at_us, day_at_us, corrects, provider, account, currency, service NULLS FIRST, part
