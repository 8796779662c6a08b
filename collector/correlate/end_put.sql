-- One row per observer and hour: what was learnt of its ends.
INSERT INTO end_learnt SELECT * FROM end_drawn ORDER BY hour_at_us, source
