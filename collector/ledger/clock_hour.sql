-- One row per observer and hour of its last 24: where the backend's receipt lies after the observer's start.
WITH
newest AS (
    SELECT source, max(started_at_us) // 3600000000 * 3600000000 AS hour_at_us
    FROM suspect
    WHERE started_at_us > $now_us - 2592000000000
    GROUP BY source
),
pair AS (
    SELECT
        s.source, s.started_at_us // 3600000000 * 3600000000 AS hour_at_us,
        m.received_at_us - s.started_at_us AS delay_us
    FROM suspect AS s
    JOIN newest AS n ON n.source = s.source AND s.started_at_us >= n.hour_at_us - 82800000000
    JOIN chosen_match AS m ON m.suspect_no = s.suspect_no
    WHERE m.evidence = 'exact' AND m.received_at_us IS NOT NULL
        AND s.started_at_us > $now_us - 2678400000000 AND s.started_at_us <= $now_us
)
SELECT source, hour_at_us, count(*) AS pairs, median(delay_us) AS delay_us
FROM pair
GROUP BY source, hour_at_us
ORDER BY source, hour_at_us
