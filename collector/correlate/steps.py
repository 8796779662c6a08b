"""Correlation by id: which abort belongs to which completion. The steps are the .sql files, in this order.

In: what the ledger holds beyond `from_batch`, and the observers (a temporary table). Out: the temporary tables
`new_suspect`, `active_suspect`, `match_changed` and `match_touched`, and the state tables suspect, open_call and
chosen_match. This room knows no price and no bill.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from collector.correlate.choose import choose, costs_of
from collector.ledger import dialect

PACKAGE = "collector.correlate"
DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000

CALLS = (
    "half_call", "met_half", "reappeared", "reappeared_problem", "open_call_met", "dangling_met", "open_call_new",
    "dangling_new", "reappeared_close", "overdue_call", "lost_end", "lost_end_close", "lone_end", "new_suspect",
    "suspect_put", "open_call_suspected",
)  # fmt: skip
IDS = ("active_suspect", "node", "candidate", "pair", "link", "matched_empty")
MATCHES = ("match_changed", "match_touched", "match_drop", "match_put", "suspect_drop")


def correlate(
    connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any], observers_by_hop: Sequence[str]
) -> None:
    """Find new suspects and choose a completion for each that may have one; `observers_by_hop` inner first."""
    newest = connection.execute("SELECT coalesce(max(suspect_no), 0) FROM suspect").fetchall()[0][0]
    bound = {**values, "suspect_no": newest, "window_us": DAY_US, "skirt_us": HOUR_US}
    for step in CALLS + IDS:
        dialect.run(connection, PACKAGE, step, bound)
    # Inner observers first, because outer ones may find their completion only through them; then back again.
    for source in [*observers_by_hop, *reversed(observers_by_hop[:-1])]:
        _match(connection, {**bound, "source": source})
    for step in MATCHES:
        dialect.run(connection, PACKAGE, step, bound)


def _match(connection: duckdb.DuckDBPyConnection, bound: Mapping[str, Any]) -> None:
    """Match the calls of one observer: what has no rival in SQL, the rest by the exact one-to-one choice."""
    if not dialect.count(connection, PACKAGE, "allowed", bound):
        return
    dialect.run(connection, PACKAGE, "matched_plain")
    contested = dialect.run(connection, PACKAGE, "contested")
    if contested:
        pairs = choose(costs_of(contested))
        choice = pa.table({
            "node_no": pa.array([node for node, _ in pairs], pa.int64()),
            "completion_no": pa.array([completion for _, completion in pairs], pa.int64()),
        })  # fmt: skip
        connection.register("choice", choice)
        dialect.run(connection, PACKAGE, "matched_put")
        connection.unregister("choice")
