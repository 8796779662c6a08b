-- One row per observer and hour, as it was.
DELETE FROM end_learnt WHERE hour_at_us IN (SELECT hour_at_us FROM race_hour)
