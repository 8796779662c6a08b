"""What ties the SQL files to this engine: loading them, binding them, and the settings every connection gets.

In: the name of an SQL file that lies beside a module. Out: its text, or its rows. The one place that writes values
into SQL.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any

import duckdb
import pyarrow as pa

SETTINGS = (
    "SET TimeZone = 'UTC'",
    "SET preserve_insertion_order = true",
    "SET enable_progress_bar = false",
    "SET checkpoint_threshold = '512MB'",
    # What would be tried on every column of text, and hardly ever taken.
    "SET disabled_compression_methods = 'fsst,zstd'",
    # Blocks given up are kept for the next ones until the ledger is closed: new pages are dear.
    "SET block_allocator_memory = '600MB'",
    # A table each: a checkpoint puts groups of rows together that are not full, and a large insert leaves many.
    "SET max_vacuum_tasks = 2",
)

_BATCH_ROWS = 20_000


@cache
def sql(package: str, name: str) -> str:
    """The text of the file `name`.sql that lies in `package`, a dotted name."""
    return files(package).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def execute(
    connection: duckdb.DuckDBPyConnection, text: str, values: Mapping[str, Any] | None = None
) -> duckdb.DuckDBPyConnection:
    """Execute `text` with those of `values` that it names ($name), each written into it as a literal.

    Not bound as parameters: at the first one that is bound the engine's Python module imports pandas, half a second
    that most commands have no use for. Raises KeyError for a name without a value.
    """
    parts = _parts(text)
    if len(parts) > 1:
        known = values or {}
        text = "".join([literal(known[part]) if at % 2 else part for at, part in enumerate(parts)])
    return connection.execute(text)


@cache
def _parts(text: str) -> tuple[str, ...]:
    """`text` cut at its parameters: code and names in turns. Comments and quoted strings hold none."""
    parts = [""]
    for found in _TOKEN.finditer(text):
        if found["name"]:
            parts += [found["name"], ""]
        else:
            parts[-1] += found[0]
    return tuple(parts)


# In this order: a comment, a quoted string or name, a parameter, any other run of characters, any other character.
_TOKEN = re.compile(r"""--[^\n]*|'[^']*'|"[^"]*"|\$(?P<name>[A-Za-z_]\w*)|[^-'"$]+|.""", re.DOTALL)


def literal(value: Any) -> str:
    """A value as SQL: None, a truth value, a number, a text, or a list of these. Raises TypeError for others."""
    if isinstance(value, str):
        quoted = "'" + value.replace("'", "''") + "'"
        return "(" + quoted.replace("\0", "' || chr(0) || '") + ")" if "\0" in value else quoted
    if value is None or isinstance(value, bool):
        return {None: "NULL", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value) if value >= 0 else f"({value})"
    if isinstance(value, float):
        return f"'{value!r}'::DOUBLE"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    raise TypeError(f"{type(value).__name__} has no literal here")


def run(
    connection: duckdb.DuckDBPyConnection, package: str, name: str, values: Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """Execute one SQL file with those of `values` that it names, and return all its rows."""
    return execute(connection, sql(package, name), values).fetchall()


def records(
    connection: duckdb.DuckDBPyConnection, package: str, name: str, values: Mapping[str, Any] | None = None
) -> list[Mapping[str, Any]]:
    """The rows of one SQL file, by column name."""
    cursor = execute(connection, sql(package, name), values)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def streamed(
    connection: duckdb.DuckDBPyConnection, package: str, name: str, values: Mapping[str, Any]
) -> Iterator[tuple[Any, ...]]:
    """The rows of one SQL file, fetched as they are asked for; the connection is taken until the last one.

    Numbers of 128 bits, which Arrow knows as decimals without places, are whole numbers again.
    """
    reader = execute(connection, sql(package, name), values).to_arrow_reader(_BATCH_ROWS)
    for batch in reader:
        yield from zip(*map(_whole, batch.columns), strict=True)


def _whole(column: pa.Array) -> list[Any]:
    """An Arrow column as Python values."""
    found: list[Any] = column.to_pylist()
    if pa.types.is_decimal(column.type) and column.type.scale == 0:
        return [None if value is None else int(value) for value in found]
    return found


def bind(connection: duckdb.DuckDBPyConnection, package: str, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values`, and the columns of the one row that an SQL file selects, by their names.

    For bounds of time above all: the engine leaves row groups unread only where a bound is a constant.
    """
    return {**values, **records(connection, package, name, values)[0]}


def steps(
    connection: duckdb.DuckDBPyConnection, package: str, names: Iterable[str], values: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Execute SQL files in order; what a file called *_extent selects is bound for those after it, and returned."""
    for name in names:
        if name.endswith("_extent"):
            values = bind(connection, package, name, values)
        else:
            run(connection, package, name, values)
    return values


def count(
    connection: duckdb.DuckDBPyConnection, package: str, name: str, values: Mapping[str, Any] | None = None
) -> int:
    """Execute one SQL file that writes rows, and return how many it wrote."""
    rows = run(connection, package, name, values)
    return int(rows[0][0]) if rows else 0


def checkpointed(connection: duckdb.DuckDBPyConnection) -> None:
    """Commit what is open by a checkpoint alone: a log of it would be written only to be read by the next one."""
    connection.execute("SET checkpoint_threshold = '1B'")
    connection.commit()


@contextmanager
def unordered(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """What is executed meanwhile may write its rows in any order.

    In their order, the engine puts together what each chunk of lines gave, and writes every row twice for it.
    """
    connection.execute("SET preserve_insertion_order = false")
    try:
        yield
    finally:
        connection.execute("SET preserve_insertion_order = true")


def set_variables(connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any]) -> None:
    """Give the session variables that views read by getvariable(); they bind as constants."""
    for name, value in values.items():
        execute(connection, _SET_VARIABLE[name], {"value": value})


_SET_VARIABLE = {
    name: f"SET VARIABLE {name} = $value"
    for name in (
        "source", "provider", "service", "file_id", "batch_id", "run_id", "field_shape", "key_shape", "cached_inside",
        "thinking_inside", "now_us", "horizon_us", "skew_us",
    )
}  # fmt: skip


def script(connection: duckdb.DuckDBPyConnection, package: str, names: Sequence[str]) -> None:
    """Execute files of several statements (schema, macros, views), in order."""
    for name in names:
        connection.execute(sql(package, name))
