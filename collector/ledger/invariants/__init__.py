"""Invariants: each file selects rows that must not exist; a run that has any is rolled back."""
