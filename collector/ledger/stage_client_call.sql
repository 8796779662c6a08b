-- One row per waiting line, with its fate, where some of them repeat others and have to be looked at.
CREATE OR REPLACE TEMP TABLE staged_client_call AS SELECT * FROM parsed
