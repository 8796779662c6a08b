"""A table read live from BigQuery: the table and the place reached come in, new rows go out as JSON.

Rows are appended to the table, each with an instant: its export time, or the minute it was logged in. A reading is
one query for all rows since an instant, oldest first; its rows are handed on in pieces that end between two
instants, so that what is committed is a beginning. A reader that dies goes on in the same job, at the row behind
the last piece. What is near the watermark is looked at again: a census counts the rows of each instant, and those
that have grown are read once more, whole, as a new delivery: equal rows of a bill count as often as they stand in the
delivery that has most of them, and a completion that is read twice is a duplicate. The lines are what
`gcp_billing.stage` or `request_response.stage` takes. This module parses no line and reads no clock.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa

from collector.ledger import dialect
from collector.sources.bigquery_api import Ask, BigQuery, CallError, Export, Job
from collector.sources.cursors import TextCursor
from collector.sources.lines import LINES

PACKAGE = "collector.sources"
DAY_US = 24 * 3_600_000_000
INGESTION_US = 2 * DAY_US  # how much earlier than its instant's day the partition of a row is looked for
PAGE_ROWS = 10_000
PIECE_ROWS = 50_000  # committed together, or a little more, so that instants stay whole
HELD_ROWS_MAX = 200_000  # an instant with more rows is committed in parts, lest memory grow with it
CENSUS_ROWS = 50_000
READINGS_MAX = 2  # in one run, where a job is lost

Row = tuple[int, str]  # instant in microseconds, the row as JSON


@dataclass(frozen=True, slots=True)
class Statements:
    """How a kind of table is read: the SQL files for its rows and its census, and the column that has the instant.

    `grain_us`: instants are rounded down to it, so that there are few enough of them to be counted one by one.
    """

    rows: str
    census: str
    column: str
    grain_us: int = 1


BILL = Statements("bill_rows", "bill_census", "export_time")
REQUEST_RESPONSE = Statements("request_response_rows", "request_response_census", "logging_time", 60_000_000)


@dataclass(frozen=True, slots=True)
class Query:
    """What is read: at first what is younger than `since_us` before now, later `overlap_us` of it again."""

    table: str
    since_us: int
    overlap_us: int
    statements: Statements = BILL

    def before(self, at_us: int, span_us: int) -> int:
        """The instant so long before `at_us`, at the beginning of its grain."""
        return (at_us - span_us) // self.statements.grain_us * self.statements.grain_us


class Reading(msgspec.Struct, frozen=True):
    """A query under way, and the table's version before it began."""

    job: Job
    version: str = ""


class TableCursor(TextCursor, frozen=True):
    """The place reached by one reading: `line_no` of its rows have been handed on.

    `watermark_us` is the newest instant read; `counts`: instant -> rows read of it, as far back as the next
    census goes; `version`: of the table, once it had been read to its end. `path` is the table.
    """

    file_id: int
    path: str
    line_no: int = 0
    watermark_us: int | None = None
    counts: dict[int, int] = msgspec.field(default_factory=dict)
    version: str = ""
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """New rows and the cursor behind them, to be committed together. `rows_all`: how many the reading has."""

    cursor: TableCursor
    table: pa.Table
    rows_all: int = 0


def newest(query: Query, cursors: Sequence[TableCursor]) -> TableCursor | None:
    """The cursor that says how far the table was read; older ones stand for readings that have ended."""
    return max((one for one in cursors if one.path == query.table), key=lambda one: one.file_id, default=None)


def fetch(
    query: Query, cursors: Sequence[TableCursor], service: BigQuery, *, now_us: int, file_ids: Iterator[int]
) -> Iterator[Piece]:
    """Yield everything new in the table; new readings get their file ids from `file_ids`.

    Raises CallError when what was read by then is out.
    """
    cursor = newest(query, cursors) or TableCursor(0, query.table)
    turn = _Turn(query, service, cursor, file_ids)
    for reading in range(1, READINGS_MAX + 1):
        try:
            yield from turn.pieces(now_us)
        except CallError as error:
            if turn.reading_lost(error):
                yield Piece(turn.cursor, LINES.empty_table())
                if error.again and reading < READINGS_MAX:
                    continue
            raise
        return


def first_read(query: Query, now_us: int) -> Ask:
    """The query that reads a table for the first time."""
    return _ask(query.statements.rows, query.before(now_us, query.since_us), ())


def _ask(name: str, from_us: int, known: Sequence[int]) -> Ask:
    """A query over all since `from_us`, but for the instants in `known`."""
    partition_us = from_us // DAY_US * DAY_US - INGESTION_US
    return Ask(dialect.sql(PACKAGE, name), from_us, partition_us, tuple(sorted(known)))


class _Turn:
    """One run's turn at a table."""

    def __init__(self, query: Query, service: BigQuery, cursor: TableCursor, file_ids: Iterator[int]) -> None:
        self._query, self._service, self.cursor, self._file_ids = query, service, cursor, file_ids

    def pieces(self, now_us: int) -> Iterator[Piece]:
        """What is left of the reading under way, then what is new since."""
        if self.cursor.reading is not None:
            yield from self._read(self.cursor.reading)
        export = self._service.export()
        if export.version and export.version == self.cursor.version:
            return
        ask = self._what_is_new(export, now_us)
        if ask is None:
            self._move(version=export.version)
            yield Piece(self.cursor, LINES.empty_table())
            return
        reading = Reading(self._service.job(export), export.version)
        yield from self._begun(reading, ask)
        self._service.start(ask, reading.job, export)
        yield from self._read(reading)

    def reading_lost(self, error: CallError) -> bool:
        """Whether a reading was under way that cannot go on; it is forgotten then."""
        if self.cursor.reading is None or not error.over:
            return False
        self._move(reading=None)
        return True

    def _what_is_new(self, export: Export, now_us: int) -> Ask | None:
        """The query for what has not been read yet; None where there is nothing."""
        mark, counts = self.cursor.watermark_us, self.cursor.counts
        if mark is None:
            return first_read(self._query, now_us)
        census = _ask(self._query.statements.census, self._query.before(mark, self._query.overlap_us), ())
        now = {row[0]: row[1] for row in self._service.all_rows(census, export, CENSUS_ROWS)}
        changed = [at_us for at_us, rows in now.items() if counts.get(at_us) != rows]
        if not changed:
            return None
        whole = [at_us for at_us, rows in now.items() if counts.get(at_us) == rows and at_us > min(changed)]
        return _ask(self._query.statements.rows, min(changed), whole)

    def _begun(self, reading: Reading, ask: Ask) -> Iterator[Piece]:
        """Remember the job before it is started, so that it is not paid for twice; forget the last reading."""
        ended, known = self.cursor, set(ask.known_us)
        counts = {at_us: rows for at_us, rows in ended.counts.items() if at_us in known or at_us < ask.from_us}
        self._move(file_id=next(self._file_ids), line_no=0, counts=counts, version="", reading=reading)
        yield Piece(self.cursor, LINES.empty_table())
        if ended.file_id:
            yield Piece(TableCursor(ended.file_id, ended.path, ended.line_no), LINES.empty_table())

    def _read(self, reading: Reading) -> Iterator[Piece]:
        """The rows of the reading that are still to come, in pieces."""
        held: list[Row] = []
        while True:
            start = self.cursor.line_no + len(held)
            try:
                page = self._service.page(reading.job, start, PAGE_ROWS)
            except CallError:
                if whole := _whole(held):
                    yield self._piece(held[:whole], 0)
                raise
            if start < page.total and not page.rows:
                raise CallError(f"table {self._query.table}: the job's rows stop early", over=True, again=True)
            held += [(row[0], row[1]) for row in page.rows]
            ended = start + len(page.rows) >= page.total
            ready = len(held) if ended or len(held) >= HELD_ROWS_MAX else _whole(held)
            if ended or ready >= PIECE_ROWS:
                yield self._piece(held[:ready], page.total, ended=reading if ended else None)
                held = held[ready:]
            if ended:
                return

    def _piece(self, rows: Sequence[Row], rows_all: int, *, ended: Reading | None = None) -> Piece:
        """Some rows, and the cursor behind them; `ended`: the reading whose last rows they are."""
        counts = Counter(self.cursor.counts)
        counts.update(at_us for at_us, _ in rows)
        marks = [mark for mark in (self.cursor.watermark_us, rows[-1][0] if rows else None) if mark is not None]
        mark = max(marks, default=None)
        table = lines_of(rows, self.cursor.line_no)
        self._move(line_no=self.cursor.line_no + len(rows), watermark_us=mark, counts=dict(counts))
        if ended is not None:
            floor = self._query.before(mark or 0, self._query.overlap_us)
            kept = {at_us: count for at_us, count in counts.items() if at_us >= floor}
            self._move(counts=kept, version=ended.version, reading=None)
        return Piece(self.cursor, table, rows_all)

    def _move(self, **moved: Any) -> None:
        changes: Mapping[str, Any] = moved
        self.cursor = msgspec.structs.replace(self.cursor, **changes)


def _whole(rows: Sequence[Row]) -> int:
    """How many of the rows are of instants that are whole: all but those of the last one."""
    return bisect_left(rows, rows[-1][0], key=lambda row: row[0]) if rows else 0


def lines_of(rows: Sequence[Row], line_no: int) -> pa.Table:
    """Rows as lines, numbered after `line_no`."""
    numbers = pa.array(range(line_no + 1, line_no + 1 + len(rows)), pa.int64())
    return pa.table([numbers, pa.array([line for _, line in rows], pa.string())], schema=LINES)
