"""The sources' SQL, run by bqemulator under the real client: an engine that is not ours reads it as we mean it.

bqemulator lives in an environment of its own (docs/bigquery.md says how to make it); $BQEMULATOR is its program.
It keeps few digits of a NUMERIC, so amounts here have three. What it cannot show is what a query is billed for.
"""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from collector.records import instant_text
from collector.sources import bigquery_live
from collector.sources.bigquery_api import INGESTED, BigQuery, Place
from collector.sources.bigquery_live import REQUEST_RESPONSE, Query, TableCursor, fetch
from tests.bigquery_server import Row, narrow
from tests.helpers import DAY_US, HOUR_US, T0_US
from tests.test_bigquery_live import TABLE, row
from tests.test_request_response import row as logged
from tests.test_request_response import selected

PROGRAM = os.environ.get("BQEMULATOR") or shutil.which("bqemulator")
START_S = 60.0
BILL_QUERY = Query(TABLE, 30 * DAY_US, DAY_US)
LOG_QUERY = Query("acme.export.log", 30 * DAY_US, DAY_US, REQUEST_RESPONSE)
LOG_SCHEMA: list[dict[str, Any]] = [
    {"name": "request_id", "type": "NUMERIC"},
    {"name": "logging_time", "type": "TIMESTAMP"},
    *({"name": name, "type": "STRING"} for name in ("endpoint", "deployed_model_id", "model", "model_version")),
    {"name": "api_method", "type": "STRING"},
    *({"name": name, "type": "JSON"} for name in ("metadata", "full_request", "full_response")),
]
SCHEMA: list[dict[str, Any]] = [
    {"name": "service", "type": "RECORD", "fields": [{"name": n, "type": "STRING"} for n in ("id", "description")]},
    {"name": "sku", "type": "RECORD", "fields": [{"name": n, "type": "STRING"} for n in ("id", "description")]},
    {"name": "project", "type": "RECORD", "fields": [{"name": n, "type": "STRING"} for n in ("id", "name")]},
    *({"name": f"{name}_time", "type": "TIMESTAMP"} for name in ("usage_start", "usage_end", "export")),
    {"name": "cost", "type": "NUMERIC"},
    *({"name": name, "type": "STRING"} for name in ("currency", "cost_type")),
    {
        "name": "usage", "type": "RECORD", "fields": [
            {"name": "amount", "type": "FLOAT"}, {"name": "unit", "type": "STRING"},
            {"name": "pricing_unit", "type": "STRING"},
        ],
    },
    {
        "name": "credits", "type": "RECORD", "mode": "REPEATED", "fields": [
            {"name": "name", "type": "STRING"}, {"name": "amount", "type": "NUMERIC"},
        ],
    },
]  # fmt: skip

pytestmark = pytest.mark.skipif(
    PROGRAM is None,
    reason="THE SQL FOR BIGQUERY WAS NOT TRIED: no bqemulator; set $BQEMULATOR (docs/bigquery.md)",
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where bqemulator listens."""
    home = tmp_path_factory.mktemp("home")
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        ports = first.getsockname()[1], second.getsockname()[1]
    _install_extension(Path(str(PROGRAM)).parent.parent, home)
    running = subprocess.Popen(
        [str(PROGRAM), "start", "--rest-port", str(ports[0]), "--grpc-port", str(ports[1]), "--project", "acme"],
        env={**os.environ, "HOME": str(home)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _await(ports[0])
        yield f"127.0.0.1:{ports[0]}"
    finally:
        running.terminate()
        running.wait(20)


def _install_extension(environment: Path, home: Path) -> None:
    """The engine's extension, from the package that carries it to where the engine looks for it."""
    for found in environment.rglob("duckdb_extension_spatial/extensions/*/spatial.duckdb_extension"):
        place = home / ".duckdb" / "extensions" / found.parent.name / "linux_amd64"
        place.mkdir(parents=True)
        shutil.copy(found, place)


def _await(port: int) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail("bqemulator did not start")


@pytest.fixture
def client(address: str) -> bigquery.Client:
    """A client with an empty export table."""
    nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]
    made = bigquery.Client("acme", credentials=nobody, client_options={"api_endpoint": f"http://{address}"})
    made.create_dataset("export", exists_ok=True, retry=Retry(timeout=START_S))
    _make(made, TABLE, SCHEMA)
    return made


def _make(client: bigquery.Client, name: str, schema: list[dict[str, Any]]) -> None:
    """An empty table."""
    client.delete_table(name, not_found_ok=True)
    table = bigquery.Table(name, schema=[bigquery.SchemaField.from_api_repr(one) for one in schema])
    table.time_partitioning = bigquery.TimePartitioning()
    client.create_table(table)


def _put(client: bigquery.Client, *found: Row) -> None:
    assert client.insert_rows_json(TABLE, list(found)) == []


def _read(address: str, cursors: list[TableCursor], query: Query = BILL_QUERY) -> list[Row]:
    """One run: its rows; `cursors` become the places behind it."""
    service = BigQuery(Place(query.table, "acme", 1 << 30, address=address))
    held = {cursor.file_id: cursor for cursor in cursors}
    lines = []
    for piece in fetch(query, cursors, service, now_us=T0_US, file_ids=count(len(held) + 1)):
        held[piece.cursor.file_id] = piece.cursor
        lines += piece.table.column("line").to_pylist()
    cursors[:] = held.values()
    return [json.loads(line) for line in lines]


def _exact(found: Row) -> Row:
    """A row with its amounts as numbers: 4.5 and "4.500" are one."""
    usage, amount = found["usage"], found["usage"]["amount"]
    return found | {
        "cost": Decimal(found["cost"]),
        "usage": usage | {"amount": None if amount is None else Decimal(amount)},
        "credits": [{"amount": Decimal(one["amount"])} for one in found["credits"]],
    }


def test_rows_as_the_file_source_reads_them(client: bigquery.Client, address: str) -> None:
    """Nested columns, missing ones, credits and quotes come as JSON in the shape of the export, oldest first."""
    told = [
        row("4.731", T0_US - 2 * HOUR_US, credits=[{"name": "a", "amount": "-0.473"}, {"name": "b", "amount": "-1"}]),
        row("-12345678.125", T0_US - 3 * HOUR_US, sku={"id": "2", "description": 'say "hello", \\ and \u00e9'}),
        row("0.001", T0_US - HOUR_US, project=None, usage={"amount": "0.5", "unit": "count", "pricing_unit": None}),
        row("7", T0_US - 40 * DAY_US),
    ]
    _put(client, *told)
    service = BigQuery(Place(TABLE, "acme", 1 << 30, address=address))
    assert service.export().partitioned_by == INGESTED
    found = _read(address, [])
    assert [_exact(one) for one in found] == [_exact(narrow(told[place])) for place in (1, 0, 2)]
    assert all(isinstance(one["cost"], str) for one in found)


def test_only_what_has_grown_is_read_again(
    client: bigquery.Client, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The census finds the export times that have grown or are new, and the query leaves out the others."""
    monkeypatch.setattr(bigquery_live, "PAGE_ROWS", 2)
    _put(client, *[row(str(n), T0_US - n * HOUR_US) for n in range(1, 6)])
    cursors: list[TableCursor] = []
    assert [one["cost"].split(".")[0] for one in _read(address, cursors)] == ["5", "4", "3", "2", "1"]
    _put(client, row("30", T0_US - 3 * HOUR_US), row("100", T0_US - 1))
    assert sorted(one["cost"].split(".")[0] for one in _read(address, cursors)) == ["100", "3", "30"]
    assert _read(address, cursors) == []


@pytest.mark.parametrize("with_traces", [False, True])
def test_request_response_rows(client: bigquery.Client, address: str, with_traces: bool) -> None:
    """Ids, counts and labels come as they are, without prompts; a minute that has grown is read again, whole."""
    traces = [{"name": "otel_log", "type": "JSON"}] if with_traces else []
    _make(client, LOG_QUERY.table, LOG_SCHEMA + traces)
    more = {"otel_log": {"traceId": "ab" * 16, "body": "a prompt"}} if with_traces else {}
    at = [instant_text(T0_US - HOUR_US + seconds * 1_000_000) for seconds in (0, 20, 70, 10)]
    failed = {"error": {"status": "CANCELLED", "code": 499}}
    told = [logged(request_id=str(n), logging_time=at[n], **more) for n in range(4)]
    told[2]["full_response"] = failed
    _insert(client, *told[:3])
    cursors: list[TableCursor] = []
    found = [one | {"request_id": _id(one)} for one in _read(address, cursors, LOG_QUERY)]
    assert sorted(found, key=_id) == [selected(one) for one in told[:3]]
    assert "a prompt" not in json.dumps(found)
    _insert(client, told[3])
    assert sorted(_id(one) for one in _read(address, cursors, LOG_QUERY)) == ["0", "1", "3"]
    assert _read(address, cursors, LOG_QUERY) == []


def _insert(client: bigquery.Client, *told: Row) -> None:
    """Put rows of a request-response table in; JSON columns are sent as text."""
    sent = [{key: json.dumps(cell) if isinstance(cell, dict) else cell for key, cell in one.items()} for one in told]
    assert client.insert_rows_json(LOG_QUERY.table, sent) == []


def _id(found: Row) -> str:
    """The number of a row; bqemulator prints a NUMERIC with all its nine digits."""
    return str(found["request_id"]).split(".")[0]
