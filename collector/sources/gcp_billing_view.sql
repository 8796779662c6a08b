-- One row per line of the batch.
CREATE OR REPLACE TEMP VIEW parsed AS SELECT * FROM gcp_billing_parsed
