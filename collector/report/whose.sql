-- One row per currency, service and reason of what was lost in the week; services beyond the dearest $services_max are one.
WITH
by_service AS (
    SELECT
        currency, service,
        row_number() OVER (PARTITION BY currency ORDER BY sum(orphaned_nano) DESC, service) AS place
    FROM week_abort
    WHERE is_lost AND currency IS NOT NULL
    GROUP BY currency, service
)
SELECT
    a.currency, s.place > $services_max AS is_rest,
    CASE WHEN s.place <= $services_max THEN a.service ELSE '' END AS service, a.reason,
    count(*) AS aborts, coalesce(sum(a.orphaned_nano), 0)::HUGEINT AS lost_nano,
    coalesce(sum(a.avoidable_nano), 0)::HUGEINT AS avoidable_nano
FROM week_abort AS a
JOIN by_service AS s ON s.currency = a.currency AND s.service = a.service
WHERE a.is_lost
GROUP BY ALL
ORDER BY a.currency, is_rest, service, a.reason
