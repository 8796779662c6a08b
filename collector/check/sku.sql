-- One row per SKU that no rule understands.
SELECT service, sku, count(*) AS lines
FROM parsed
WHERE fate IS NULL AND service IS NOT NULL AND model = ''
GROUP BY service, sku
ORDER BY lines DESC, sku
LIMIT 50
