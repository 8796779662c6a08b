-- One row per suspect of the drawn hours that no id has joined to a completion, with the hour that it races in.
CREATE OR REPLACE TEMP TABLE lone_suspect AS
WITH
recent AS (
    SELECT
        suspect_no, provider, model, started_at_us,
        (started_at_us + 1800000000) // 3600000000 * 3600000000 AS border_us
    FROM unjoined_suspect
    WHERE provider IN (SELECT provider FROM completion_source) AND model IS NOT NULL
        AND started_at_us >= $race_from_us - $margin_us AND started_at_us < $race_to_us + $margin_us
),
placed AS (
    SELECT
        s.suspect_no,
        CASE WHEN s.started_at_us >= coalesce(k.cut_us, s.border_us) THEN s.border_us ELSE s.border_us - 3600000000 END
            AS hour_at_us
    FROM recent AS s
    LEFT JOIN hour_cut AS k ON k.provider = s.provider AND k.model = s.model AND k.border_us = s.border_us
),
racing AS (
    SELECT p.* FROM placed AS p SEMI JOIN race_hour AS h ON h.hour_at_us = p.hour_at_us
)
SELECT s.*, r.hour_at_us, true AS home
FROM suspect AS s
JOIN racing AS r ON r.suspect_no = s.suspect_no
WHERE s.started_at_us >= $race_from_us - $margin_us AND s.started_at_us < $race_to_us + $margin_us
