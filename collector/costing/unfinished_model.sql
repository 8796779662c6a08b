-- One row per model and ending (cancelled, error) that the logs know.
SELECT DISTINCT provider, model, status FROM usage_slot WHERE status <> 'ok' ORDER BY ALL
