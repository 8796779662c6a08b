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
    "half_call", "met_half", "reappeared", "reappeared_problem", "suspect_drop",
    "open_call_met", "dangling_met", "open_call_new",
    "dangling_new", "reappeared_close", "overdue_call", "lost_end", "lost_end_close", "lone_end", "new_suspect",
    "suspect_put", "open_call_suspected",
)  # fmt: skip
IDS = ("active_suspect", "node", "candidate", "pair", "link", "matched_empty")
RACE = (
    "probable_hour", "lone_suspect", "delay_model", "free_completion", "near_completion", "rival_call", "contender",
    "owned", "fold", "racer",
)  # fmt: skip
PROBABLE = (
    "probable_touched", "probable_drop", "probable_put", "probable_touched", "probable_active", "rival_drop",
    "rival_put", "delay_drop", "delay_put",
)  # fmt: skip
MATCHES = ("match_changed", "match_touched", "match_drop", "match_put")


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
    _race(connection, {**bound, "reach_us": max(int(values["skew_us"]), 100_000)})


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


def _race(connection: duckdb.DuckDBPyConnection, bound: Mapping[str, Any]) -> None:
    """Match by time and size what no id has joined; `reach_us` is how far receipt and start may lie apart."""
    for step in RACE:
        dialect.run(connection, PACKAGE, step, bound)
    edges = connection.execute(dialect.sql(PACKAGE, "edge"), {"reach_us": bound["reach_us"]}).fetchnumpy()
    connection.register("scored_edge", _scored(edges))
    for step in PROBABLE:
        dialect.run(connection, PACKAGE, step, bound)
    connection.unregister("scored_edge")


def _scored(edges: Mapping[str, Any]) -> pa.Table:
    """The edges with their terms, probabilities and the choice; numpy is loaded only where there are any."""
    names = ("attempt_no", "completion_no", "provider", "account", "completion_id", "finished_at_us")
    if len(edges["attempt_no"]):
        from collector.correlate.probable import score

        scored = score(edges)
        found = {
            "start_term": scored.start, "end_term": scored.end, "size_term": scored.size, "kind_term": scored.kind,
            "weight": scored.weight, "probability": scored.probability, "chosen": scored.chosen,
        }  # fmt: skip
    else:
        found = {name: pa.array([], pa.float64()) for name in _TERMS} | {"chosen": pa.array([], pa.bool_())}
    kinds = {name: pa.int64() if name.endswith(("_no", "_us")) else pa.string() for name in names}
    told = {name: pa.array(edges[name], kinds[name]) for name in names}
    return pa.table({**told, **found})


_TERMS = ("start_term", "end_term", "size_term", "kind_term", "weight", "probability")
