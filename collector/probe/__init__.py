"""`orphaned probe`: finds out by experiment whether an endpoint stops working when its caller leaves.

A config, a target and a budget come in; calls go out, some of them left; what the completion log or the bill says of
them is read through the collector's own sources and matching. Out: a share a cell, and a measured policy. This
room sends nothing that the budget has not taken in at its worst price before, and keeps no header's value.
"""
