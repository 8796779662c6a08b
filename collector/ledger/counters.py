"""Counters that only grow, kept in the ledger so that a restart resets none.

In: the changed verdicts of a run. Out: rows of counter_change and new totals. Nothing is recognised twice: what a
counter holds for an attempt is remembered in `counted`, and corrections move `up` and `down`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from collector.ledger import dialect
from collector.ledger.append import progress, set_progress

PACKAGE = "collector.ledger"
VERDICT_STEPS = ("label_admit", "count_movement", "count_spend", "count_abort", "counted_drop", "counted_put")
TOTAL_STEPS = ("counter_fresh", "counter_raised", "counter_total_drop", "counter_total_put")


def count_verdicts(connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any]) -> None:
    """Let the counters follow the changed verdicts."""
    for step in VERDICT_STEPS:
        dialect.run(connection, PACKAGE, step, values)


def note(
    connection: duckdb.DuckDBPyConnection,
    values: Mapping[str, Any],
    name: str,
    labels: Sequence[str],
    delta: int,
) -> None:
    """One counter grows by `delta`."""
    dialect.run(connection, PACKAGE, "counter_note", {**values, "name": name, "labels": list(labels), "delta": delta})


def note_duration(
    connection: duckdb.DuckDBPyConnection,
    values: Mapping[str, Any],
    milliseconds: int,
    bounds_s: Sequence[float],
) -> None:
    """The histogram of run durations takes in one run."""
    for bound in bounds_s:
        if milliseconds <= bound * 1000:
            label = "9000000000" if bound == float("inf") else f"{bound:g}"
            note(connection, values, "run_duration_seconds_bucket", [label], 1)
    note(connection, values, "run_duration_seconds_sum", [], milliseconds * 1000)


def fold(connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any]) -> None:
    """Add what changed since the last fold to the totals."""
    bound = {**values, "folded_run": progress(connection, "folded_run")}
    for step in TOTAL_STEPS:
        dialect.run(connection, PACKAGE, step, bound)
    set_progress(connection, "folded_run", int(values["run_id"]))
