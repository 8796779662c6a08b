-- One row per hour in which the waiting records lie.
SELECT DISTINCT at_us // 3600000000 AS hour FROM staged_client_call WHERE fate IS NULL ORDER BY hour
