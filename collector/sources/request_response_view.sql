-- One row per line of the batch.
CREATE OR REPLACE TEMP VIEW completion_field AS SELECT * FROM request_response_field
