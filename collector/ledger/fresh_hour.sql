-- One row per hour in which the new records lie.
SELECT DISTINCT at_us // 3600000000 AS hour FROM fresh_key WHERE at_us IS NOT NULL ORDER BY hour
