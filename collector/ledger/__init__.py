"""The ledger: one DuckDB file, what is appended to it, and the frozen summary that is drawn from it."""
