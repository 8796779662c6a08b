-- One row per observer: the newest hour for which a delay was learnt from exact matches, and what was learnt.
SELECT source, hour_at_us, pairs, shift_us, scale_us
FROM delay_learnt
WHERE pairs >= $pairs_min AND hour_at_us <= $now_us
QUALIFY row_number() OVER (PARTITION BY source ORDER BY hour_at_us DESC) = 1
ORDER BY source
