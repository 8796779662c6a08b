"""Taking one batch of lines in: parse, insert, drop what was known, note what was wrong, remember the place.

In: lines registered as `line_batch` and a source's mapping, a view called `parsed`. Out: how many lines became
records, duplicates, problems, or were of no interest; all of it in one transaction with the cursor. It refuses
to lose a line: the four counts add up to the lines read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.ledger import dialect, job_events
from collector.problems import BrokenInvariantError, OperatingError, Problem

PACKAGE = "collector.ledger"
HOUR_US = 3_600_000_000
STRETCHES_MAX = 16  # a statement each
# The ends of every insert leave a core idle and a row group half full, which wants large commits; fresh memory is dear,
# which wants small ones.
ROWS_PER_COMMIT = 240_000


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


@dataclass(frozen=True, slots=True)
class _Waiting:
    """The lines of one commit: file_id int64, line_no int64, line string."""

    held: Sequence[Delivery]
    lines: pa.Table
    aside: pa.Table  # those whose text stands more than once: they must not go in the quick way


@dataclass(frozen=True, slots=True)
class _Again:
    """Lines to be looked at once more, and how many records were taken out again for it."""

    lines: pa.Table
    taken_back: int
    known: bool  # whether the ledger held some of their keys before


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

    `values` holds run_id, now_us and provider. Small pieces wait until enough are together for a commit.
    When the source fails on the way, what had been read by then is kept.
    """
    held: list[Delivery] = []
    rows = 0
    try:
        for delivery in deliveries:
            held.append(delivery)
            rows += delivery.table.num_rows
            if rows >= ROWS_PER_COMMIT:
                yield _commit(connection, held, kind, stage, values)
                held, rows = [], 0
    except (OSError, OperatingError):
        if held:
            yield _commit(connection, held, kind, stage, values)
        raise
    if held:
        yield _commit(connection, held, kind, stage, values)


def _commit(
    connection: duckdb.DuckDBPyConnection,
    held: Sequence[Delivery],
    kind: str,
    stage: Stage,
    values: Mapping[str, Any],
) -> Taken:
    """One transaction: the records that are new, the problems, the counters, and every file's place."""
    source = held[0].source
    batch_id = progress(connection, "batch_id") + 1
    bound = {**values, "batch_id": batch_id, "source": source}
    dialect.set_variables(connection, {"source": source, "batch_id": batch_id})
    connection.register("staged_path", _paths(held))
    waiting = _wait(connection, held, kind, bound)
    if waiting.lines.num_rows:
        stage(connection)  # before the transaction: what is not committed yet, the engine takes for empty, and plans so
    connection.begin()
    try:
        for problem in (problem for delivery in held for problem in delivery.problems):
            _note(connection, problem, bound)
        taken = _take(connection, waiting, kind, stage, bound)
        check_counts(held, taken)
        set_progress(connection, "batch_id", batch_id)
        for delivery in {delivery.file_id: delivery for delivery in held}.values():  # the last place of each file
            _remember(connection, delivery, bound)
        _count(connection, source, taken, bound)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    for name in ("line_batch", "set_aside", "staged_path"):
        connection.unregister(name)
    return taken


def _take(
    connection: duckdb.DuckDBPyConnection,
    waiting: _Waiting,
    kind: str,
    stage: Stage,
    bound: Mapping[str, Any],
) -> Taken:
    """From staged lines to records: the quick way for those whose key stands once, the careful one for the others."""
    held, lines, aside = waiting.held, waiting.lines.num_rows, waiting.aside.num_rows
    records = repeated = conflicts = invalid = 0
    about_jobs = job_events.NONE
    if lines:
        if kind == "billing_line":
            records, repeated, conflicts = _carefully(connection, kind, bound, known=False)
            invalid = dialect.count(connection, PACKAGE, "invalid_line", bound)
        else:
            with dialect.unordered(connection):
                records = dialect.count(connection, PACKAGE, f"insert_new_{kind}", bound)
            if records < lines:
                rest = waiting.aside if records + aside == lines else _leftover(connection, waiting, kind, bound)
                invalid = _invalid(connection, rest, stage, bound)
                about_jobs = job_events.take(connection, stage, bound)
            again = _repeating(connection, waiting, kind, bound)
            if again is not None:
                connection.register("line_batch", again.lines)
                stage(connection)
                more, repeated, conflicts = _carefully(connection, kind, bound, known=again.known)
                records += more - again.taken_back
    return Taken(
        new=records + about_jobs.new,
        duplicate=repeated - conflicts + about_jobs.duplicate,
        problem=invalid + conflicts + about_jobs.problem + sum(delivery.line_problems for delivery in held),
        ignored=lines - records - repeated - invalid - about_jobs.lines + sum(delivery.blank for delivery in held),
    )


def _wait(
    connection: duckdb.DuckDBPyConnection, held: Sequence[Delivery], kind: str, bound: Mapping[str, Any]
) -> _Waiting:
    """Register the lines of a commit as `line_batch`, without the texts of those that are set aside (`set_aside`).

    What is taken out again costs a rewrite of all that was written with it, and a log that is delivered at least once
    repeats itself to the letter. Observers mostly write their own files: they are looked at from the first repetition.
    Bills are not: equal rows stay.
    """
    lines = _lines(held)
    connection.register("line_batch", lines)
    looked_at = kind == "backend_completion" or (kind == "client_call" and progress(connection, _repeats(bound)))
    is_aside = _stand_again(connection) if looked_at and lines.num_rows else np.zeros(lines.num_rows, np.bool_)
    if is_aside.any():
        connection.register("line_batch", _without_texts(lines, is_aside))
    # one chunk: the engine takes each for a batch of its own, however small
    waiting = _Waiting(held, lines, lines.filter(pa.array(is_aside)).combine_chunks())
    connection.register("set_aside", waiting.aside)
    return waiting


def _stand_again(connection: duckdb.DuckDBPyConnection) -> npt.NDArray[np.bool_]:
    """Which lines of `line_batch` have a text that stands more than once (a hash in common is enough)."""
    hashes = dialect.execute(connection, dialect.sql(PACKAGE, "text_hash")).fetchnumpy()["text_hash"]
    ordered = np.sort(hashes)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not twice.size:
        return np.zeros(hashes.size, np.bool_)
    # few of them: twice as fast as isin, which sorts all of them again
    nearest = np.minimum(np.searchsorted(twice, hashes), twice.size - 1)
    found: npt.NDArray[np.bool_] = twice[nearest] == hashes
    return found


def _without_texts(lines: pa.Table, is_out: npt.NDArray[np.bool_]) -> pa.Table:
    """`lines` with null for the text of some of them; no text is copied."""
    chunks: list[pa.Array] = []
    first = 0
    for chunk in lines["line"].chunks:
        is_left = np.concatenate([np.ones(chunk.offset, np.bool_), ~is_out[first : first + len(chunk)]])
        marks = pa.py_buffer(np.packbits(is_left, bitorder="little"))
        chunks.append(pa.Array.from_buffers(chunk.type, len(chunk), [marks, *chunk.buffers()[1:]], offset=chunk.offset))
        first += len(chunk)
    return lines.set_column(lines.column_names.index("line"), "line", pa.chunked_array(chunks, lines["line"].type))


def _repeats(bound: Mapping[str, Any]) -> str:
    """What the ledger calls the mark of a source that has repeated itself within one commit."""
    return f"repeats {bound['source']}"


def _leftover(
    connection: duckdb.DuckDBPyConnection, waiting: _Waiting, kind: str, bound: Mapping[str, Any]
) -> pa.Table:
    """The lines that were not taken in."""
    connection.register("line_batch", waiting.lines)
    return _lines_of(connection, f"leftover_{kind}", bound)


def _lines_of(connection: duckdb.DuckDBPyConnection, name: str, bound: Mapping[str, Any]) -> pa.Table:
    """The waiting lines that the file `name` selects."""
    return dialect.execute(connection, dialect.sql(PACKAGE, name), bound).to_arrow_table()


def _invalid(connection: duckdb.DuckDBPyConnection, rest: pa.Table, stage: Stage, bound: Mapping[str, Any]) -> int:
    """Look at the lines that did not go in, and put the bad ones on record: how many."""
    connection.register("line_batch", rest)
    stage(connection)
    return dialect.count(connection, PACKAGE, "invalid_line", bound)


def _repeating(
    connection: duckdb.DuckDBPyConnection, waiting: _Waiting, kind: str, bound: Mapping[str, Any]
) -> _Again | None:
    """The lines whose key stands more than once; None: there are none."""
    aside = waiting.aside.num_rows
    with dialect.unordered(connection):
        dialect.run(connection, PACKAGE, f"fresh_key_{kind}", bound)
    set_aside = dialect.count(connection, PACKAGE, f"aside_key_{kind}") if aside else 0
    twice, known = dialect.count(connection, PACKAGE, "repeated_key"), 0
    for stretch in _stretches(connection, "fresh_hour"):
        known += dialect.count(connection, PACKAGE, f"known_{kind}", {**bound, **stretch})
    if not twice and not known and not set_aside:
        return None
    if twice:
        set_progress(connection, _repeats(bound), 1)
    if dialect.count(connection, PACKAGE, "repeating_line") == aside:
        return _Again(waiting.aside, 0, known > 0)
    taken_back = dialect.count(connection, PACKAGE, f"drop_repeating_{kind}", bound)
    connection.register("line_batch", waiting.lines)
    return _Again(_lines_of(connection, "line_repeating", bound), taken_back, known > 0)


def _carefully(
    connection: duckdb.DuckDBPyConnection, kind: str, bound: Mapping[str, Any], *, known: bool
) -> tuple[int, int, int]:
    """Take in what is new, where some lines repeat others: how many were new, repeated, and contradicting.

    With `known` false no line repeats what the ledger holds, and it is not searched.
    """
    dialect.run(connection, PACKAGE, f"stage_{kind}")
    if kind == "billing_line":  # bills have no keys: equal rows stay, and only the largest delivery counts
        inserted = dialect.count(connection, PACKAGE, "insert_billing_line", bound)
        repeated = dialect.count(connection, PACKAGE, "repeated_billing_line", bound)
        return inserted - repeated, repeated, 0
    dialect.run(connection, PACKAGE, f"earlier_none_{kind}")
    for stretch in _stretches(connection, f"staged_hour_{kind}") if known else ():
        dialect.run(connection, PACKAGE, f"earlier_{kind}", {**bound, **stretch})
    dialect.run(connection, PACKAGE, f"repeated_{kind}")
    repeated, conflicts = dialect.run(connection, PACKAGE, "repeated_count")[0]
    if conflicts:
        dialect.run(connection, PACKAGE, "conflicting_line", bound)
    return dialect.count(connection, PACKAGE, f"insert_{kind}", bound), repeated, conflicts


def _stretches(connection: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, int]]:
    """Where what the waiting records repeat may lie: the hours that the file `name` selects, and one around."""
    hours = [hour for (hour,) in dialect.run(connection, PACKAGE, name)]
    return [{"from_us": (first - 1) * HOUR_US, "to_us": (last + 2) * HOUR_US} for first, last in stretches(hours)]


def stretches(hours: Sequence[int]) -> list[tuple[int, int]]:
    """The first and the last hour of a few stretches of `hours`: what lies between old and new stays unread."""
    gap = 2
    while True:
        found: list[tuple[int, int]] = []
        for hour in hours:
            if found and hour - found[-1][1] <= gap:
                found[-1] = (found[-1][0], hour)
            else:
                found.append((hour, hour))
        if len(found) <= STRETCHES_MAX:
            return found
        gap *= 2


def _lines(held: Sequence[Delivery]) -> pa.Table:
    """All lines of the deliveries: file_id, line_no, line."""
    return pa.concat_tables([with_file(delivery.table, delivery.file_id) for delivery in held])


def with_file(lines: pa.Table, file_id: int) -> pa.Table:
    """`lines` (line_no, line) with the file that they stand in, chunk by chunk."""
    ids = [pa.array(np.full(len(chunk), file_id)) for chunk in lines["line"].chunks]
    return lines.add_column(0, "file_id", pa.chunked_array(ids, pa.int64()))


def _paths(held: Sequence[Delivery]) -> pa.Table:
    """Which file is which, for the places of problems."""
    known = {delivery.file_id: delivery.path for delivery in held}
    return pa.table({"file_id": pa.array(known.keys(), pa.int64()), "path": pa.array(known.values(), pa.string())})


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


def check_counts(held: Sequence[Delivery], taken: Taken) -> None:
    """Raise BrokenInvariantError unless every line of the deliveries has exactly one fate."""
    lines = sum(delivery.lines for delivery in held)
    fates = taken.new + taken.duplicate + taken.problem + taken.ignored
    if fates != lines:
        raise BrokenInvariantError(
            f"{held[0].path}: {lines} lines were read, but {fates} have a fate ({taken}); nothing of this piece "
            "was taken in. This is a defect of orphaned-inference: please report it."
        )
