-- One row per hour in which the waiting records lie.
SELECT DISTINCT finished_at_us // 3600000000 AS hour FROM staged_backend_completion WHERE fate IS NULL ORDER BY hour
