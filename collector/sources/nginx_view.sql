-- One row per line of the batch.
CREATE OR REPLACE TEMP VIEW parsed AS SELECT * FROM nginx_parsed
