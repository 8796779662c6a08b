-- One row per label value newly admitted: the first hundred of a label, for good.
INSERT INTO label_value
WITH
seen AS (
    SELECT DISTINCT 'provider' AS label, provider AS value FROM verdict_changed
    UNION SELECT DISTINCT 'model', model FROM verdict_changed
    UNION SELECT DISTINCT 'service_name', service FROM verdict_changed
    UNION SELECT DISTINCT 'provider', provider FROM bucket_changed
    UNION SELECT DISTINCT 'account', account FROM bucket_changed
),
fresh AS (
    SELECT label, value, row_number() OVER (PARTITION BY label ORDER BY value) AS arrival_no
    FROM seen
    WHERE value IS NOT NULL AND value <> '' AND (label, value) NOT IN (SELECT (label, value) FROM label_value)
),
held AS (
    SELECT label, count(*) AS values_held FROM label_value GROUP BY label
)
SELECT f.label, f.value
FROM fresh AS f
LEFT JOIN held AS h ON h.label = f.label
WHERE f.arrival_no + coalesce(h.values_held, 0) <= 100
