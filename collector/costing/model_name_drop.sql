-- One row per model that the bill names otherwise than the log, as it was.
DELETE FROM model_name_held
