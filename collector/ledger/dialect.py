"""What ties the SQL files to this engine: loading them, binding them, and the settings every connection gets.

In: the name of an SQL file that lies beside a module. Out: its text, or its rows. This module builds no SQL.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    # Trying these on every column of text costs a quarter of an insert, and saves a third of the file.
    "SET disabled_compression_methods = 'fsst,dict_fsst,zstd'",
)

_BATCH_ROWS = 20_000


@cache
def sql(package: str, name: str) -> str:
    """The text of the file `name`.sql that lies in `package`, a dotted name."""
    return files(package).joinpath(f"{name}.sql").read_text(encoding="utf-8")


@cache
def parameter_names(text: str) -> frozenset[str]:
    """The named parameters ($name) that a statement uses."""
    return frozenset(_parameters(text))


def _parameters(text: str) -> Iterator[str]:
    """Every word that follows a dollar sign outside a comment and outside a quoted string."""
    for line in text.splitlines():
        code = line.split("--", 1)[0]
        parts = code.split("'")
        for part in parts[::2]:
            for piece in part.split("$")[1:]:
                name = ""
                for character in piece:
                    if not (character.isalnum() or character == "_"):
                        break
                    name += character
                if name:
                    yield name


def run(
    connection: duckdb.DuckDBPyConnection, package: str, name: str, values: Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """Execute one SQL file with those of `values` that it names, and return all its rows."""
    text = sql(package, name)
    wanted = parameter_names(text)
    bound = {key: value for key, value in (values or {}).items() if key in wanted}
    cursor = connection.execute(text, bound) if bound else connection.execute(text)
    return cursor.fetchall()


def streamed(
    connection: duckdb.DuckDBPyConnection, package: str, name: str, values: Mapping[str, Any]
) -> Iterator[tuple[Any, ...]]:
    """The rows of one SQL file, fetched as they are asked for; the connection is taken until the last one.

    Numbers of 128 bits, which Arrow knows as decimals without places, are whole numbers again.
    """
    text = sql(package, name)
    reader = connection.execute(text, {key: values[key] for key in parameter_names(text)}).to_arrow_reader(_BATCH_ROWS)
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
    text = sql(package, name)
    cursor = connection.execute(text, {key: values[key] for key in parameter_names(text)})
    names = [column[0] for column in cursor.description or ()]
    return {**values, **dict(zip(names, cursor.fetchall()[0], strict=True))}


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


def set_variables(connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any]) -> None:
    """Give the session variables that views read by getvariable(); they bind as constants."""
    for name, value in values.items():
        connection.execute(_SET_VARIABLE[name], [value])


_SET_VARIABLE = {
    name: f"SET VARIABLE {name} = $1"
    for name in (
        "source", "provider", "service", "file_id", "batch_id", "run_id", "field_shape", "key_shape", "cached_inside",
        "thinking_inside", "now_us", "horizon_us", "skew_us",
    )
}  # fmt: skip


def script(connection: duckdb.DuckDBPyConnection, package: str, names: Sequence[str]) -> None:
    """Execute files of several statements (schema, macros, views), in order."""
    for name in names:
        connection.execute(sql(package, name))
