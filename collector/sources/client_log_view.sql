-- One row per line of the batch.
CREATE OR REPLACE TEMP VIEW parsed AS SELECT * FROM client_log_parsed
