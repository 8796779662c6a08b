"""Taking one batch of lines in: parse, insert, drop what was known, note what was wrong, remember the place.

In: lines registered as `line_batch` and a source's mapping, a view called `parsed`. Out: how many lines became
records, duplicates, problems, or were of no interest; all of it in one transaction with the cursor. It refuses
to lose a line: the four counts add up to the lines read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from collector.ledger import dialect
from collector.problems import BrokenInvariantError, Problem

PACKAGE = "collector.ledger"
HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Delivery:
    """One piece of a file on its way in. `lines` counts all lines, `blank` those with nothing on them."""

    source: str
    path: str
    file_id: int
    table: pa.Table  # line_no int64, line string
    lines: int
    blank: int
    problems: tuple[Problem, ...]
    line_problems: int  # how many of `problems` stand for a line of this piece
    cursor: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a delivery's lines."""

    new: int
    duplicate: int
    problem: int
    ignored: int


Stage = Callable[[duckdb.DuckDBPyConnection], None]


def progress(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    """The ledger's counter `name`, 0 where it was never set."""
    rows = dialect.run(connection, PACKAGE, "progress_get", {"name": name})
    return int(rows[0][0]) if rows else 0


def set_progress(connection: duckdb.DuckDBPyConnection, name: str, value: int) -> None:
    """Remember `value` under `name`, in the transaction that is open."""
    dialect.run(connection, PACKAGE, "progress_drop", {"name": name})
    dialect.run(connection, PACKAGE, "progress_put", {"name": name, "value": value})


def take(
    connection: duckdb.DuckDBPyConnection,
    delivery: Delivery,
    *,
    kind: str,
    stage: Stage,
    values: Mapping[str, Any],
) -> Taken:
    """Take `delivery` in as records of `kind`, in one transaction; `values` holds run_id, now_us and provider."""
    batch_id = progress(connection, "batch_id") + 1
    bound = {**values, "batch_id": batch_id, "source": delivery.source, "path": delivery.path}
    connection.begin()
    try:
        taken = _take(connection, delivery, kind, stage, bound)
        check_counts(delivery, taken)
        set_progress(connection, "batch_id", batch_id)
        _remember(connection, delivery, bound)
        _count(connection, delivery.source, taken, bound)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    return taken


def _take(
    connection: duckdb.DuckDBPyConnection, delivery: Delivery, kind: str, stage: Stage, bound: Mapping[str, Any]
) -> Taken:
    """The lines of one delivery, from text to records."""
    for problem in delivery.problems:
        _note(connection, problem, bound)
    if delivery.table.num_rows == 0:
        return Taken(0, 0, delivery.line_problems, delivery.blank)
    dialect.set_variables(connection, {
        "source": delivery.source, "file_id": delivery.file_id, "batch_id": bound["batch_id"],
    })  # fmt: skip
    connection.register("line_batch", delivery.table)
    stage(connection)
    inserted = dialect.count(connection, PACKAGE, f"insert_{kind}", bound)
    invalid = 0
    left = delivery.table.num_rows - inserted
    duplicates, conflicts = _drop_repeated(connection, kind, bound) if inserted else (0, 0)
    if left:
        # A table of its own, because Arrow's lines would be scanned once more for every use.
        rest = connection.execute(dialect.sql(PACKAGE, f"leftover_{kind}"), {"batch_id": bound["batch_id"]})
        connection.register("line_batch", rest.to_arrow_table())
        stage(connection)
        invalid = dialect.count(connection, PACKAGE, "invalid_line", bound)
    connection.unregister("line_batch")
    return Taken(
        new=inserted - duplicates - conflicts,
        duplicate=duplicates,
        problem=invalid + conflicts + delivery.line_problems,
        ignored=delivery.blank + left - invalid,
    )


def _drop_repeated(
    connection: duckdb.DuckDBPyConnection, kind: str, bound: Mapping[str, Any]
) -> tuple[int, int]:
    """Take repeated lines out again; how many said the same, and how many contradicted the first reading."""
    if kind == "billing_line":  # bills have no keys: equal rows stay, and only the largest delivery counts
        return dialect.count(connection, PACKAGE, "repeated_billing_line", bound), 0
    low, high = dialect.run(connection, PACKAGE, f"extent_{kind}", bound)[0]
    window = {**bound, "from_us": low - HOUR_US, "to_us": high + HOUR_US}
    if not dialect.count(connection, PACKAGE, f"repeated_{kind}", window):
        return 0, 0
    conflicts = dialect.count(connection, PACKAGE, "conflicting_line", bound)
    dropped = dialect.count(connection, PACKAGE, f"drop_repeated_{kind}")
    return dropped - conflicts, conflicts


def _note(connection: duckdb.DuckDBPyConnection, problem: Problem, bound: Mapping[str, Any]) -> None:
    """Put one problem on record."""
    dialect.run(connection, PACKAGE, "problem_put", {
        **bound, "source": problem.source, "kind": problem.kind, "place": problem.place,
        "message": problem.message, "excerpt": problem.excerpt,
    })  # fmt: skip


def _remember(connection: duckdb.DuckDBPyConnection, delivery: Delivery, bound: Mapping[str, Any]) -> None:
    """Move the cursor of the delivery's file."""
    values = {**bound, "file_id": delivery.file_id, "cursor": delivery.cursor}
    dialect.run(connection, PACKAGE, "cursor_drop", values)
    dialect.run(connection, PACKAGE, "cursor_put", values)


def _count(connection: duckdb.DuckDBPyConnection, source: str, taken: Taken, bound: Mapping[str, Any]) -> None:
    """Let the counters of the source grow by what was taken in."""
    for outcome in ("new", "duplicate", "problem", "ignored"):
        delta = getattr(taken, outcome)
        if delta:
            change = {"name": "source_records_total", "labels": [source, outcome], "delta": delta}
            dialect.run(connection, PACKAGE, "counter_note", {**bound, **change})


def check_counts(delivery: Delivery, taken: Taken) -> None:
    """Raise BrokenInvariantError unless every line of the delivery has exactly one fate."""
    fates = taken.new + taken.duplicate + taken.problem + taken.ignored
    if fates != delivery.lines:
        raise BrokenInvariantError(
            f"{delivery.path}: {delivery.lines} lines were read, but {fates} have a fate ({taken}); nothing of "
            "this piece was taken in"
        )
