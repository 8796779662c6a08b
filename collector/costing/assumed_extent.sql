-- One row: the instants between which those aborts happened, to be bound as constants; NULL where there is none.
SELECT min(left_at_us) AS left_from_us, max(left_at_us) AS left_to_us FROM assumed_lone
