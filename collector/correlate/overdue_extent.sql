-- One row: the instants between which overdue calls started, to be bound as constants.
SELECT min(started_at_us) AS overdue_from_us, max(started_at_us) AS overdue_to_us FROM overdue
