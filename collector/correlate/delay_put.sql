-- One row per observer and hour: what was learnt for it.
INSERT INTO delay_learnt
SELECT source, hour_at_us, pairs, shift_us, scale_us FROM delay_model ORDER BY hour_at_us, source
