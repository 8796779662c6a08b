-- One row per waiting line, with its fate, where some of them repeat others and have to be looked at.
CREATE OR REPLACE TEMP TABLE staged_backend_completion AS SELECT * FROM parsed
