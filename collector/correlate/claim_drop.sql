-- One row per claim of a drawn hour, as it was.
DELETE FROM claim WHERE hour_at_us IN (SELECT hour_at_us FROM race_hour)
