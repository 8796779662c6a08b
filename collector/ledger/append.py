"""Taking one batch of lines in: parse, insert, drop what was known, note what was wrong, remember the place.

In: lines registered as `line_batch` and a source's mapping, a view called `parsed`. Out: how many lines became
records, duplicates, problems, or were of no interest; all of it in one transaction with the cursor. It refuses
to lose a line: the four counts add up to the lines read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pyarrow as pa

from collector.ledger import dialect
from collector.problems import BrokenInvariantError, OperatingError, Problem

PACKAGE = "collector.ledger"
HOUR_US = 3_600_000_000
ROWS_PER_COMMIT = 400_000  # a commit of less than some row groups is written twice


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


def take_all(
    connection: duckdb.DuckDBPyConnection,
    deliveries: Iterable[Delivery],
    *,
    kind: str,
    stage: Stage,
    values: Mapping[str, Any],
) -> Iterator[Taken]:
    """Take `deliveries` of one source in as records of `kind`, each with its place, and say what became of them.

    `values` holds run_id, now_us and provider. Lines are parsed into a table in memory, until enough are together for a
    commit. When the source fails on the way, what had been read by then is kept.
    """
    held: list[Delivery] = []
    rows = 0
    for step in (f"staged_new_{kind}", "staged_problem_new", "staged_problem_clear"):
        dialect.run(connection, PACKAGE, step)
    try:
        for delivery in deliveries:
            _stage(connection, delivery, kind, stage, values)
            held.append(replace(delivery, table=_NO_LINES))
            rows += delivery.table.num_rows
            if rows >= ROWS_PER_COMMIT:
                yield _commit(connection, held, kind, values)
                held, rows = [], 0
    except (OSError, OperatingError):
        if held:
            yield _commit(connection, held, kind, values)
        raise
    if held:
        yield _commit(connection, held, kind, values)


def _stage(
    connection: duckdb.DuckDBPyConnection,
    delivery: Delivery,
    kind: str,
    stage: Stage,
    values: Mapping[str, Any],
) -> None:
    """Parse one delivery into the table that waits; the bad lines of it become problems with the next commit."""
    if not delivery.table.num_rows:
        return
    dialect.set_variables(
        connection, {"source": delivery.source, "file_id": delivery.file_id, "batch_id": 0}
    )
    connection.register("line_batch", delivery.table)
    stage(connection)
    dialect.run(connection, PACKAGE, f"stage_{kind}")
    dialect.run(
        connection,
        PACKAGE,
        f"invalid_{kind}",
        {**values, "source": delivery.source, "path": delivery.path, "file_id": delivery.file_id},
    )
    connection.unregister("line_batch")


def _commit(
    connection: duckdb.DuckDBPyConnection, held: Sequence[Delivery], kind: str, values: Mapping[str, Any]
) -> Taken:
    """One transaction: the staged records that are new, the problems, the counters, and every file's place."""
    source = held[0].source
    batch_id = progress(connection, "batch_id") + 1
    bound = {**values, "batch_id": batch_id, "source": source}
    connection.begin()
    try:
        for problem in (problem for delivery in held for problem in delivery.problems):
            _note(connection, problem, bound)
        connection.register("staged_path", _paths(held))
        taken = _take(connection, held, kind, bound)
        check_counts(held, taken)
        set_progress(connection, "batch_id", batch_id)
        for delivery in held:
            _remember(connection, delivery, bound)
        _count(connection, source, taken, bound)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    connection.unregister("staged_path")
    for step in (f"staged_new_{kind}", "staged_problem_clear"):
        dialect.run(connection, PACKAGE, step)
    return taken


def _take(
    connection: duckdb.DuckDBPyConnection, held: Sequence[Delivery], kind: str, bound: Mapping[str, Any]
) -> Taken:
    """From staged lines to records: drop what was known, insert the rest, note what was wrong."""
    records, invalid, ignored = dialect.run(connection, PACKAGE, f"fate_{kind}")[0]
    dialect.run(connection, PACKAGE, "staged_problem_put")
    repeated, conflicts = _repeated(connection, kind, bound) if records else (0, 0)
    inserted = dialect.count(connection, PACKAGE, f"insert_{kind}", bound) if records else 0
    if kind == "billing_line":  # bills have no keys: equal rows stay, and only the largest delivery counts
        repeated = dialect.count(connection, PACKAGE, "repeated_billing_line", bound)
        inserted -= repeated
    return Taken(
        new=inserted,
        duplicate=repeated - conflicts,
        problem=invalid + conflicts + sum(delivery.line_problems for delivery in held),
        ignored=ignored + sum(delivery.blank for delivery in held),
    )


def _repeated(
    connection: duckdb.DuckDBPyConnection, kind: str, bound: Mapping[str, Any]
) -> tuple[int, int]:
    """Find the staged records whose key stood already: how many, and how many of them contradict it."""
    dialect.run(connection, PACKAGE, "repeated_none")
    if kind == "billing_line":
        return 0, 0
    low, high, _, _ = dialect.run(connection, PACKAGE, f"extent_{kind}")[0]
    dialect.run(
        connection, PACKAGE, f"repeated_{kind}", {**bound, "from_us": low - HOUR_US, "to_us": high + HOUR_US}
    )
    repeated, conflicts = dialect.run(connection, PACKAGE, "repeated_count")[0]
    if conflicts:
        dialect.run(connection, PACKAGE, "conflicting_line", bound)
    return repeated, conflicts


def _paths(held: Sequence[Delivery]) -> pa.Table:
    """Which file is which, for the places of problems."""
    known = {delivery.file_id: delivery.path for delivery in held}
    return pa.table(
        {"file_id": pa.array(known.keys(), pa.int64()), "path": pa.array(known.values(), pa.string())}
    )


_NO_LINES = pa.table({"line_no": pa.array([], pa.int64()), "line": pa.array([], pa.string())})


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


def _count(
    connection: duckdb.DuckDBPyConnection, source: str, taken: Taken, bound: Mapping[str, Any]
) -> None:
    """Let the counters of the source grow by what was taken in."""
    for outcome in ("new", "duplicate", "problem", "ignored"):
        delta = getattr(taken, outcome)
        if delta:
            change = {"name": "source_records_total", "labels": [source, outcome], "delta": delta}
            dialect.run(connection, PACKAGE, "counter_note", {**bound, **change})


def check_counts(held: Sequence[Delivery], taken: Taken) -> None:
    """Raise BrokenInvariantError unless every line of the deliveries has exactly one fate."""
    lines = sum(delivery.lines for delivery in held)
    fates = taken.new + taken.duplicate + taken.problem + taken.ignored
    if fates != lines:
        raise BrokenInvariantError(
            f"{held[0].path}: {lines} lines were read, but {fates} have a fate ({taken}); nothing of this piece "
            "was taken in. This is a defect of orphaned-inference: please report it."
        )
