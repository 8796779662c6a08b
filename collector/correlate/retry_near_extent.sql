-- One row: the instants between which the next attempts of the touched suspects start, to be bound as constants.
SELECT min(started_at_us) - $horizon_us AS near_from_us, max(started_at_us) + $window_us AS near_to_us FROM retry_suspect
