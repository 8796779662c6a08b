"""Observers' logs: lines in, rows of client_call out, mapped by the .sql files beside.

Lines of a client log, of nginx, or entries of Cloud Logging, by preset. This module decides nothing about money; it
refuses to judge an abort by a status code alone where a log says more (nginx.sql, load_balancer.sql).
"""

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from collector.ledger import dialect
from collector.sources import presets, routes

PACKAGE = "collector.sources"

_ROUTE_MATCH = pa.schema([
    ("request_method", pa.string()), ("request_uri", pa.string()), ("provider", pa.string()),
    ("account", pa.string()), ("model", pa.string()), ("operation", pa.string()), ("stream", pa.bool_()),
    ("service", pa.string()),
])  # fmt: skip
_JUDGES = {presets.HTTP_LOAD_BALANCER: "load_balancer", presets.CLOUD_RUN_REQUESTS: "cloud_run"}


def stage_client_log(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `parsed` from the lines of a client log (contract, section 5)."""
    dialect.script(connection, PACKAGE, ["client_line", "client_log", "client_log_view"])


def stage_client_log_entries(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `parsed` from entries that hold a line of a client log each, because it went to standard output."""
    dialect.script(connection, PACKAGE, ["client_line_entry", "client_log", "client_log_view"])


def stage_audit(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `parsed` from audit entries, none of them a record, and `audit_call`, the calls that they show.

    With neither an end nor an id, a call of them would be an abort that nobody saw, and without tokens, a completion
    of them would cost nothing: docs/cloud-logging.md.
    """
    names = ["audit_field", "audit_call", "client_line_audit", "client_log", "client_log_view"]
    dialect.script(connection, PACKAGE, names)


def stage_nginx(connection: duckdb.DuckDBPyConnection, service: str, wanted: Sequence[routes.Route]) -> None:
    """Make `parsed` from nginx's lines; `wanted` are the user's routes, which come before the built-in ones."""
    dialect.set_variables(connection, {"service": service})
    with dialect.unordered(connection):
        dialect.run(connection, PACKAGE, "nginx_field")
    requests = dialect.run(connection, PACKAGE, "nginx_request")
    connection.register("route_match", _matches(requests, wanted))
    dialect.script(connection, PACKAGE, ["nginx", "nginx_view"])


def stage_requests(
    connection: duckdb.DuckDBPyConnection, preset: str, service: str | None, wanted: Sequence[routes.Route]
) -> None:
    """Make `parsed` from the entries of one of Google's proxies; without `service`, their own label names it."""
    dialect.set_variables(connection, {"service": service})
    dialect.run(connection, PACKAGE, "request_field")
    requests = dialect.run(connection, PACKAGE, "request_asked")
    connection.register("route_match", _matches(requests, wanted))
    dialect.script(connection, PACKAGE, [_JUDGES[preset], "request"])


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
