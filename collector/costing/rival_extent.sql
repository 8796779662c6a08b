-- One row: the instants between which those completions finished, to be bound as constants; NULL where there is none.
SELECT min(finished_at_us) AS doubt_from_us, max(finished_at_us) AS doubt_to_us FROM rival_doubt
