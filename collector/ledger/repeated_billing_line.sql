-- One row: how many rows of the batch another delivery had already brought.
SELECT count(*) FROM billing_line WHERE batch_id = $batch_id AND NOT counts
