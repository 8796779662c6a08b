-- One row: the instants between which the touched completions finished, to be bound as constants; NULL: there are none.
SELECT min(finished_at_us) AS special_from_us, max(finished_at_us) AS special_to_us FROM special_touched
