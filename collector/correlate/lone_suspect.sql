-- One row per suspect of the drawn hours that no id has joined to a completion, with the hour that it races in.
CREATE OR REPLACE TEMP TABLE lone_suspect AS
WITH placed AS (
    SELECT
        s.*,
        CASE WHEN s.started_at_us >= coalesce(k.cut_us, b.border_us) THEN b.border_us ELSE b.border_us - 3600000000 END
            AS hour_at_us
    FROM suspect AS s
    CROSS JOIN LATERAL (SELECT (s.started_at_us + 1800000000) // 3600000000 * 3600000000 AS border_us) AS b
    LEFT JOIN hour_cut AS k ON k.provider = s.provider AND k.model = s.model AND k.border_us = b.border_us
    WHERE s.provider IN (SELECT provider FROM completion_source) AND s.model IS NOT NULL
        AND s.started_at_us >= $race_from_us - $margin_us AND s.started_at_us < $race_to_us + $margin_us
)
SELECT p.*, true AS home
FROM placed AS p
SEMI JOIN race_hour AS h ON h.hour_at_us = p.hour_at_us
ANTI JOIN chosen_match AS m ON m.evidence = 'exact' AND m.suspect_no = p.suspect_no
