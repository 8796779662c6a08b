"""Costing: prices, cancellation policies, and how every billed amount splits; it knows no file and no page."""
