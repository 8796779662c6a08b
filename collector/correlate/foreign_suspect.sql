-- One row per lone suspect of an earlier hour and drawn hour in which a completion of unknown receipt may be its own.
INSERT INTO lone_suspect
WITH
recent AS (
    SELECT s.*, (s.started_at_us + 1800000000) // 3600000000 * 3600000000 AS border_us
    FROM suspect AS s
    WHERE s.provider IN (SELECT provider FROM completion_source) AND s.model IS NOT NULL
        AND s.started_at_us >= $scan_from_us AND s.started_at_us < $race_to_us + $margin_us
        AND coalesce(s.ended_at_us, s.started_at_us) BETWEEN s.started_at_us AND s.started_at_us + $lasting_us
),
placed AS (
    SELECT
        s.* EXCLUDE (border_us),
        CASE WHEN s.started_at_us >= coalesce(k.cut_us, s.border_us) THEN s.border_us ELSE s.border_us - 3600000000 END
            AS own_hour_at_us
    FROM recent AS s
    LEFT JOIN hour_cut AS k ON k.provider = s.provider AND k.model = s.model AND k.border_us = s.border_us
)
SELECT p.* EXCLUDE (own_hour_at_us), h.hour_at_us, false
FROM placed AS p
JOIN race_hour AS h
    ON h.hour_at_us > p.own_hour_at_us
    AND h.hour_at_us + 3600000000 + $margin_us > coalesce(p.ended_at_us, p.started_at_us)
    AND h.hour_at_us - $margin_us <= coalesce(p.ended_at_us, p.started_at_us + $lasting_us) + $after_us
ANTI JOIN chosen_match AS m ON m.evidence = 'exact' AND m.suspect_no = p.suspect_no
