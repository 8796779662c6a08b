-- One row: the instants between which calls may share an id with an active suspect, to be bound as constants.
SELECT
    min(started_at_us) - $skirt_us AS node_from_us,
    max(greatest(started_at_us, coalesce(ended_at_us, 0))) + $window_us AS node_to_us
FROM suspect
WHERE suspect_no IN (SELECT suspect_no FROM active_suspect)
