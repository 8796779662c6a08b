-- One row per model that the bill names otherwise than the log.
SELECT provider, model, bill_model FROM model_name_held ORDER BY ALL
