-- One row per observer and hour: where the receipt lies after the start, from the exact matches of 24 hours.
CREATE OR REPLACE TEMP TABLE delay_model AS
WITH
sample AS (
    SELECT s.source, s.started_at_us, m.received_at_us - s.started_at_us AS delay_us
    FROM chosen_match AS m
    JOIN suspect AS s ON s.suspect_no = m.suspect_no
    WHERE m.evidence = 'exact' AND m.received_at_us IS NOT NULL
        AND s.started_at_us >= $race_from_us - 82800000000 AND s.started_at_us < $race_to_us
        AND abs(m.received_at_us - s.started_at_us) <= 4 * $reach_us
),
windowed AS (
    SELECT s.source, h.hour_at_us, s.delay_us
    FROM race_hour AS h
    JOIN sample AS s
        ON s.started_at_us >= h.hour_at_us - 82800000000 AND s.started_at_us < h.hour_at_us + 3600000000
),
centred AS (
    SELECT source, hour_at_us, count(*) AS pairs, median(delay_us) AS shift_us, list(delay_us) AS delays
    FROM windowed
    GROUP BY source, hour_at_us
),
-- A floor and a few imagined wide pairs keep a handful of samples from being believed too much.
scaled AS (
    SELECT
        source, hour_at_us, pairs, shift_us,
        greatest(
            5000.0, (list_sum(list_transform(delays, d -> least(abs(d - shift_us), 500000.0))) + 4 * 100000.0)
            / (pairs + 4)
        ) AS scale_us
    FROM centred
)
SELECT
    o.source, h.hour_at_us, coalesce(s.pairs, 0) AS pairs,
    CASE WHEN s.pairs >= 8 THEN s.shift_us ELSE 0.0 END AS shift_us,
    CASE WHEN s.pairs >= 8 THEN s.scale_us ELSE 150000.0 END AS scale_us,
    CASE WHEN s.pairs >= 8 THEN least($reach_us, s.scale_us * 12 + 50000)::BIGINT ELSE $reach_us END AS reach_us
FROM race_hour AS h
CROSS JOIN observer AS o
LEFT JOIN scaled AS s ON s.source = o.source AND s.hour_at_us = h.hour_at_us
