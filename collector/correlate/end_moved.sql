-- One row per observer and hour of whose ends something else has been learnt than was known.
INSERT INTO end_moved
SELECT source, hour_at_us
FROM (
    (SELECT * FROM end_drawn EXCEPT SELECT * FROM end_learnt)
    UNION ALL
    (SELECT l.* FROM end_learnt AS l SEMI JOIN race_hour AS h ON h.hour_at_us = l.hour_at_us EXCEPT SELECT * FROM end_drawn)
)
