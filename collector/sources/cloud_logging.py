"""Cloud Logging entries as completions: JSON lines in, rows of backend_completion out.

Where in an entry each field stands is the user's to say (config `fields`), so the query over the lines is built
with the engine's expression objects; the mapping itself is `completion.sql`. Formats: LogEntry of the Cloud
Logging API v2.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
from duckdb import (
    CoalesceOperator,
    ColumnExpression,
    ConstantExpression,
    Expression,
    FunctionExpression,
    SQLExpression,
)

from collector.ledger import dialect
from collector.sources import token_counts

PACKAGE = "collector.sources"
Path = Sequence[str]
FIELDS = (
    "completion_id", "request_id", "trace_id", "span_id", "response_id", "model", "stream", "status", "error_code",
    "finished_at", "latency", "first_byte_at", "input_tokens", "cached_input_tokens", "output_tokens",
    "thinking_tokens", "images", "price_class", "account",
)  # fmt: skip
_VIEWS = {
    "completion_field": "CREATE OR REPLACE TEMP VIEW completion_field AS ",
    "job_field": "CREATE OR REPLACE TEMP VIEW job_field AS ",
}
_PARSE = "CASE WHEN starts_with(ltrim(line), '{') THEN TRY(json_transform(line, getvariable('field_shape'))) END"


def stage(connection: duckdb.DuckDBPyConnection, provider: str, fields: Mapping[str, Sequence[Path]]) -> None:
    """Make `parsed` from entries; `fields` gives for each field the paths to try, the first present one wins."""
    places = {name: list(fields.get(name, ())) for name in FIELDS}
    places["log_name"] = [("logName",)]
    places["insert_id"] = [("insertId",)]
    choose_fields(connection, "completion_field", provider, places)
    dialect.script(connection, PACKAGE, ["completion", "completion_view"])


def choose_fields(
    connection: duckdb.DuckDBPyConnection, view: str, provider: str, places: Mapping[str, Sequence[Path]]
) -> None:
    """Make the view of that name: one row per line of the batch, with the text at the first present of each `places`.

    Also told, as variables: the provider, and whether its token counts include one another.
    """
    counting = token_counts.dialect(provider, None)
    dialect.set_variables(connection, {
        "provider": provider,
        "field_shape": json.dumps(_shape(path for paths in places.values() for path in paths)),
        "cached_inside": counting.input_includes_cached,
        "thinking_inside": counting.output_includes_thinking,
    })  # fmt: skip
    lines = connection.table("line_batch").select(
        ColumnExpression("file_id"), ColumnExpression("line_no"), SQLExpression(_PARSE).alias("v")
    )
    chosen = [_first(places[name]).alias(name) for name in places]
    entry = SQLExpression("v IS NOT NULL").alias("is_object")
    field = lines.select(ColumnExpression("file_id"), ColumnExpression("line_no"), entry, *chosen)
    connection.execute(_VIEWS[view] + field.sql_query())


def _shape(paths: Any) -> dict[str, Any]:
    """The part of an entry that any path names, as the engine's JSON structure with text at the leaves."""
    shape: dict[str, Any] = {}
    for path in paths:
        inner = shape
        for step in path[:-1]:
            inner = inner.setdefault(step, {})
            if not isinstance(inner, dict):
                break
        else:
            inner.setdefault(path[-1], "VARCHAR")
    return shape


def _first(paths: Sequence[Path]) -> Expression:
    """The value at the first of `paths` that is present."""
    values = [_at(path) for path in paths]
    if not values:
        return ConstantExpression(None).cast("VARCHAR")
    return values[0] if len(values) == 1 else CoalesceOperator(*values)


def _at(path: Path) -> Expression:
    """The value at one path of the parsed entry `v`."""
    value: Expression = ColumnExpression("v")
    for step in path:
        value = FunctionExpression("struct_extract", value, ConstantExpression(step))
    return value
