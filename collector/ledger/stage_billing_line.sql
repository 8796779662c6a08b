-- One row per waiting line, with its fate, where some of them repeat others and have to be looked at.
CREATE OR REPLACE TEMP TABLE staged_billing_line AS SELECT * FROM parsed
