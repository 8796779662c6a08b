"""The tables of `orphaned export`, as CSV, JSON, Parquet or a DataFrame.

A connection to the ledger comes in (as of whichever instant its reader chose); rows go out batch by batch, so
that a million of them need little memory. Amounts become decimal text out of whole numbers, in SQL, alike in
all three formats; times are RFC 3339 text. It computes no figure, and never leaves half a file behind.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import duckdb
import pyarrow as pa

from collector.ledger import dialect
from collector.problems import OperatingError

if TYPE_CHECKING:
    import pandas as pd

PACKAGE = "collector.exporters"
BATCH_ROWS = 20_000
ENDLESS_US = (1 << 62) - 1

Name = Literal["verdicts", "reconciliation", "problems", "policies", "retries", "jobs"]
Format = Literal["csv", "json", "parquet"]
Progress = Callable[[int], None]  # rows written so far

_TIMES = frozenset({
    "started_at", "ended_at", "finished_at", "usage_start", "usage_end", "seen_at", "superseded_started_at",
    "superseded_ended_at", "created_at", "last_look_at", "left_at", "cancel_requested_at",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """Which rows are wanted: from `from_us` on, before `to_us`.

    Verdicts and jobs go by `started_at`, buckets by `usage_start`, problems by `seen_at`, retries by the start of the
    superseded attempt; policies have no instant.
    """

    from_us: int = 0
    to_us: int = ENDLESS_US


ALWAYS = Span()


def unwatched(_rows: int) -> None:
    """Nobody watches."""


def write(  # noqa: PLR0913 - what, from where, to where, and how
    name: Name,
    connection: duckdb.DuckDBPyConnection,
    sink: BinaryIO,
    *,
    layout: Format = "csv",
    span: Span = ALWAYS,
    show: Progress = unwatched,
) -> int:
    """Write one table to `sink`; how many rows it has. CSV has a head, JSON is one array of objects."""
    rows = 0
    for count in _WRITERS[layout](_batches(name, connection, span), sink):
        rows += count
        show(rows)
    return rows


def frame(name: Name, connection: duckdb.DuckDBPyConnection, span: Span = ALWAYS) -> "pd.DataFrame":
    """One table as a DataFrame: times as UTC timestamps, amounts and usage as exact `Decimal`s or None."""
    import pandas as pd

    table: pd.DataFrame = _batches(name, connection, span).read_pandas()
    for column in table.columns:
        if column in _TIMES:
            table[column] = pd.to_datetime(table[column], utc=True, format="ISO8601")
        elif _is_amount(column):
            exact = [None if pd.isna(text) else Decimal(text) for text in table[column]]
            table[column] = pd.Series(exact, index=table.index, dtype="object")
    return table


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when all is written: a reader sees the old or the new one, whole.

    Raises OperatingError when it cannot be written.
    """
    try:
        with _replacing(path) as file:
            yield file
    except OSError as error:
        raise OperatingError(f"{path}: cannot be written: {error.strerror or error}") from None


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    if path.exists() and not path.is_file():  # /dev/null and pipes are written to as they are
        with path.open("wb") as file:
            yield file
        return
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            os.fchmod(file.fileno(), 0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _is_amount(column: str) -> bool:
    """Whether a column holds decimal text."""
    return column.endswith(("cost", "_cost_low", "_cost_high", "_usage"))


def _batches(name: Name, connection: duckdb.DuckDBPyConnection, span: Span) -> pa.RecordBatchReader:
    """The rows of one table, computed as they are asked for."""
    dialect.script(connection, PACKAGE, ["macros", "job_avoided"])
    values = {"from_us": span.from_us, "to_us": span.to_us}
    return dialect.execute(connection, dialect.sql(PACKAGE, name), values).to_arrow_reader(BATCH_ROWS)


def _csv(reader: pa.RecordBatchReader, sink: BinaryIO) -> Iterator[int]:
    from pyarrow import csv

    sink.write((",".join(reader.schema.names) + "\n").encode())
    options = csv.WriteOptions(include_header=False, quoting_style="needed")
    for batch in reader:
        block = pa.BufferOutputStream()
        csv.write_csv(batch, block, options)
        sink.write(block.getvalue())
        yield batch.num_rows


def _json(reader: pa.RecordBatchReader, sink: BinaryIO) -> Iterator[int]:
    before = b"[\n"
    with duckdb.connect() as engine:
        for batch in reader:
            engine.register("exported", pa.Table.from_batches([batch]))
            objects = [row[0] for row in dialect.run(engine, PACKAGE, "table_object")]
            if objects:
                sink.write(before + ",\n".join(objects).encode())
                before = b",\n"
            yield batch.num_rows
    sink.write(b"[]\n" if before.startswith(b"[") else b"\n]\n")


def _parquet(reader: pa.RecordBatchReader, sink: BinaryIO) -> Iterator[int]:
    from pyarrow import parquet

    with parquet.ParquetWriter(sink, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            yield batch.num_rows


_Writer = Callable[[pa.RecordBatchReader, BinaryIO], Iterator[int]]
_WRITERS: dict[Format, _Writer] = {"csv": _csv, "json": _json, "parquet": _parquet}
