-- One row per attempt whose standing with the counters changed.
DELETE FROM counted WHERE suspect_no IN (SELECT counted_no FROM count_movement)
