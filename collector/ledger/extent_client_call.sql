-- One row: the instants between which the batch lies.
SELECT min(at_us), max(at_us) FROM client_call WHERE batch_id = $batch_id
