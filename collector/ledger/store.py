"""Opening the ledger: one DuckDB file, one process at a time, opened for a run and closed after it.

In: a path and how long to wait. Out: a connection with the schema, the macros and the settings of this project.
It refuses a file of a newer format, and it never waits for ever: it says who holds the file.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from collector.ledger import dialect
from collector.problems import LedgerBusyError, OperatingError, UsageError

FORMAT_VERSION = 1
PACKAGE = "collector.ledger"
_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.*?) \(PID (?P<pid>\d+)\)")
_PAUSE_S = 0.1
# A quarter of the engine's default. Every insert leaves groups that are not full, which checkpoints put together, and
# write again, by and by: the smaller the groups, the less is written twice, and the finer are the bounds by which a
# query leaves groups unread. But what a query looks at first are the bounds of every group.
_ROW_GROUP_SIZE = 30_720
# Of the oldest release that can read it. Before it, every checkpoint read and wrote again what is known of every column
# of every group, and texts that repeat took twice the room.
_STORAGE_VERSION = "v1.4.0"


@contextmanager
def opened(
    path: Path, *, wait_s: float, sleep: Callable[[float], None], memory_mb: int = 800
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the ledger at `path`, made if it is not there, closed (and checkpointed) at the end.

    Raises LedgerBusyError when another process still holds it after `wait_s` seconds, OperatingError when the
    file cannot be used, UsageError when a newer version of this project wrote it.
    """
    connection = _connect(path, wait_s, sleep)
    try:
        _prepare(connection, path, memory_mb)
        yield connection
    finally:
        connection.close()


def _connect(path: Path, wait_s: float, sleep: Callable[[float], None]) -> duckdb.DuckDBPyConnection:
    """Try until `wait_s` is used up; only a lock held elsewhere is worth waiting for."""
    waited = 0.0
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return _attached(path)
        except duckdb.IOException as error:
            if "lock" not in str(error).lower():
                raise OperatingError(f"ledger {path}: cannot be opened: {_first_line(error)}") from None
            if waited >= wait_s:
                raise LedgerBusyError(_busy(path, str(error), wait_s)) from None
        except (duckdb.Error, OSError) as error:
            raise OperatingError(f"ledger {path}: cannot be opened: {_first_line(error)}") from None
        sleep(_PAUSE_S)
        waited += _PAUSE_S


def _attached(path: Path) -> duckdb.DuckDBPyConnection:
    """A connection whose default catalogue is the file at `path`; these options can only be given on attaching."""
    connection = duckdb.connect()
    try:
        values = {"path": str(path), "rows": _ROW_GROUP_SIZE, "version": _STORAGE_VERSION}
        dialect.execute(connection, "ATTACH $path AS ledger (ROW_GROUP_SIZE $rows, STORAGE_VERSION $version)", values)
        connection.execute("USE ledger")
    except BaseException:
        connection.close()
        raise
    return connection


def _busy(path: Path, text: str, wait_s: float) -> str:
    """Who holds the file, in words a person can act on."""
    held = _HOLDER.search(text)
    holder = f"process {held['pid']} ({held['program']})" if held else "another process"
    return (
        f"ledger {path}: held by {holder}; waited {wait_s:g} s. A run is probably under way: try again when it is "
        "done, or read the daemon's /metrics, which needs no ledger."
    )


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _prepare(connection: duckdb.DuckDBPyConnection, path: Path, memory_mb: int) -> None:
    """Settings, schema, macros; then the check that this version may write to the file."""
    for setting in dialect.SETTINGS:
        connection.execute(setting)
    if memory_mb:
        dialect.execute(connection, "SET memory_limit = $limit", {"limit": f"{memory_mb}MB"})
    dialect.script(connection, PACKAGE, ["schema", "macros"])
    found = connection.execute("SELECT max(version) FROM ledger_format").fetchall()[0][0]
    if found is None:
        dialect.execute(connection, "INSERT INTO ledger_format VALUES ($version)", {"version": FORMAT_VERSION})
    elif found > FORMAT_VERSION:
        raise UsageError(
            f"ledger {path}: written by a newer orphaned-inference (format {found}, this one knows "
            f"{FORMAT_VERSION}). Install that version, or point ledger.path elsewhere."
        )
