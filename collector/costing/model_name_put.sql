-- One row per model that the bill names otherwise than the log, as it is.
INSERT INTO model_name_held SELECT provider, model, bill_model FROM model_name WHERE bill_model <> model ORDER BY ALL
