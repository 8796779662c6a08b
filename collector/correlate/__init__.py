"""Correlation: which abort belongs to which completion, by id or by time and size; it knows no price."""
