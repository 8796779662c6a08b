"""Lines that tell of jobs (batches, long-running operations): lines in, events out, mapped by the .sql files beside.

A client log tells of waits and cancels (job_client.sql). Entries of Cloud Logging tell of an operation's two ends, of
a job's state, of looks and cancels (job_entry.sql). This module decides nothing about what became of a job.
"""

from collections.abc import Mapping, Sequence

import duckdb

from collector.ledger import dialect
from collector.sources import cloud_logging

PACKAGE = "collector.sources"

# What an entry says of an operation and of a method stands where Cloud Logging has it; the rest is the user's to say.
# Sources: LogEntryOperation and AuditLog, cloud.google.com/logging/docs/reference.
_FIXED: Mapping[str, Sequence[cloud_logging.Path]] = {
    "log_name": [("logName",)],
    "insert_id": [("insertId",)],
    "operation_id": [("operation", "id")],
    "operation_first": [("operation", "first")],
    "operation_last": [("operation", "last")],
    "method": [("protoPayload", "methodName")],
    "resource_name": [("protoPayload", "resourceName")],
    "request_name": [("protoPayload", "request", "name")],
    "operation_name": [("protoPayload", "request", "operationName")],
    "response_name": [("protoPayload", "response", "name")],
    "status_code": [("protoPayload", "status", "code")],
}


def stage_client(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `job_parsed` of the lines of a client log; `client_line` holds them already."""
    dialect.script(connection, PACKAGE, ["job_macros", "job_client"])


def stage_entries(
    connection: duckdb.DuckDBPyConnection, provider: str, fields: Mapping[str, Sequence[cloud_logging.Path]]
) -> None:
    """Make `job_parsed` of entries of Cloud Logging; `fields` as for completions."""
    cloud_logging.choose_fields(connection, "job_field", provider, {**fields, **_FIXED})
    dialect.script(connection, PACKAGE, ["job_macros", "job_entry"])


def stage_nothing_else(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `parsed` of entries that are read for jobs alone: none of them is a call."""
    dialect.script(connection, PACKAGE, ["audit_field", "client_line_audit", "client_log", "client_log_view"])
