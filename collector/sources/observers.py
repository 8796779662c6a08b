"""Observers' logs, `client-log` and `nginx`: lines in, rows of client_call out, mapped by the .sql files beside.

This module decides nothing about money; it refuses to judge an abort by a status code alone (nginx.sql).
"""

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from collector.ledger import dialect
from collector.sources import routes

PACKAGE = "collector.sources"

_ROUTE_MATCH = pa.schema([
    ("request_method", pa.string()), ("request_uri", pa.string()), ("provider", pa.string()),
    ("account", pa.string()), ("model", pa.string()), ("operation", pa.string()), ("stream", pa.bool_()),
    ("service", pa.string()),
])  # fmt: skip


def stage_client_log(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `parsed` from the lines of a client log (contract, section 5)."""
    dialect.script(connection, PACKAGE, ["client_log", "client_log_view"])


def stage_nginx(connection: duckdb.DuckDBPyConnection, service: str, wanted: Sequence[routes.Route]) -> None:
    """Make `parsed` from nginx's lines; `wanted` are the user's routes, which come before the built-in ones."""
    dialect.set_variables(connection, {"service": service})
    dialect.run(connection, PACKAGE, "nginx_field")
    requests = dialect.run(connection, PACKAGE, "nginx_request")
    connection.register("route_match", _matches(requests, wanted))
    dialect.script(connection, PACKAGE, ["nginx", "nginx_view"])


def _matches(requests: Sequence[tuple[str, str]], wanted: Sequence[routes.Route]) -> pa.Table:
    """The inference calls among the different requests; each URI is matched once, however often it stands."""
    rows = []
    for method, uri in requests:
        found = routes.match(uri, wanted) if method in ("", "POST", "PUT") else None
        if found is not None:
            rows.append({
                "request_method": method, "request_uri": uri, "provider": found.provider, "account": found.account,
                "model": found.model, "operation": found.operation, "stream": found.stream, "service": found.service,
            })  # fmt: skip
    return pa.Table.from_pylist(rows, schema=_ROUTE_MATCH)
