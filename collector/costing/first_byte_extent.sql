-- One row: the instants between which it is learnt, to be bound as constants; NULL where nothing has to be known.
SELECT min(hour_at_us) - 82800000000 AS learn_from_us, max(hour_at_us) + 3600000000 AS learn_to_us FROM first_byte_wanted
