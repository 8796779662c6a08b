-- One row per observer and hour of whose ends this run has learnt something else than was known: none yet.
CREATE OR REPLACE TEMP TABLE end_moved (source VARCHAR, hour_at_us BIGINT)
