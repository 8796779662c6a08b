-- One row per hour whose race may come out differently by what is new.
CREATE OR REPLACE TEMP TABLE hour_wanted AS
WITH
-- What an hour learns, it learns from the exact matches of the 24 hours that end with it.
learning AS (
    SELECT DISTINCT started_at_us // 3600000000 * 3600000000 AS hour_at_us FROM match_moved
),
-- A changed suspect races wherever a completion of unknown receipt may be its own, and an hour with such completions
-- looks back a little.
roaming AS (
    SELECT DISTINCT unnest([at_us - $margin_us, at_us + $margin_us]) // 3600000000 * 3600000000 AS hour_at_us
    FROM (
        SELECT DISTINCT finished_at_us // 60000000 * 60000000 AS at_us
        FROM backend_completion
        WHERE received_at_us IS NULL AND finished_at_us BETWEEN $roam_from_us AND $roam_to_us
    )
),
roamed AS (
    SELECT DISTINCT unnest(generate_series(
        (started_at_us - $margin_us) // 3600000000 * 3600000000, left_at_us + $after_us + $margin_us, 3600000000
    )) AS hour_at_us
    FROM changed_suspect
    UNION
    SELECT DISTINCT (at_us + $after_us + $margin_us) // 3600000000 * 3600000000 FROM touched_at
)
-- What lies near a full hour may belong to either side, and moves the cut between them.
SELECT DISTINCT unnest([at_us - $margin_us, at_us, at_us + $margin_us]) // 3600000000 * 3600000000 AS hour_at_us
FROM touched_at
UNION
SELECT unnest(generate_series(hour_at_us, hour_at_us + 23 * 3600000000, 3600000000)) FROM learning
UNION
SELECT r.hour_at_us FROM roamed AS r SEMI JOIN roaming AS g ON g.hour_at_us = r.hour_at_us
