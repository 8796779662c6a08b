-- One row: the instants between which the completions of a node may have finished, to be bound as constants.
SELECT
    min(started_at_us) - $skirt_us AS candidate_from_us,
    max(greatest(started_at_us, coalesce(ended_at_us, 0))) + $window_us AS candidate_to_us
FROM node
