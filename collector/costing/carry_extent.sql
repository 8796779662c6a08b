-- One row: the instants between which those buckets lie, to be bound as constants; NULL where there is none.
SELECT min(usage_start_us) AS border_from_us, max(usage_end_us) AS border_to_us FROM carry_border
