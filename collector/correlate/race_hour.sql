-- One row per hour that is drawn in this bunch.
CREATE OR REPLACE TEMP TABLE race_hour AS
SELECT hour_at_us FROM probable_hour WHERE hour_at_us >= $race_from_us AND hour_at_us < $race_to_us
