-- One row per lone suspect that may race in more hours than that of its start.
CREATE OR REPLACE TEMP TABLE roamer AS
SELECT DISTINCT suspect_no
FROM lone_suspect
WHERE NOT home OR (
    hour_at_us + 3600000000 - $margin_us <= coalesce(ended_at_us, started_at_us + $lasting_us) + $after_us
    AND coalesce(ended_at_us, started_at_us) BETWEEN started_at_us AND started_at_us + $lasting_us
)
