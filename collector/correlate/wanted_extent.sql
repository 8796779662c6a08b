-- One row: the instants between which hours are wanted, to be bound as constants.
SELECT min(hour_at_us) AS wanted_from_us, max(hour_at_us) + 3600000000 AS wanted_to_us FROM hour_wanted
