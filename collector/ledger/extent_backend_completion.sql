-- One row: the instants between which the batch lies.
SELECT min(finished_at_us), max(finished_at_us) FROM backend_completion WHERE batch_id = $batch_id
