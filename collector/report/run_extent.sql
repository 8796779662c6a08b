-- One row: when the ledger's first and its last run were committed.
SELECT min(recorded_at_us) AS first_run_us, max(recorded_at_us) AS known_us FROM run
