"""Entries a second from Cloud Logging's entries.list on loopback: our reader against `client.list_entries`.

One server process serves the same entries, cut into pages and written down beforehand, over gRPC and HTTP, so
that the readers are measured and not the server. Ours is measured to the Arrow table that the ledger takes;
its quota is lifted, as the peer knows none.

    .venv/bin/python benchmarks/cloud_logging.py [entries]
"""

import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any

import grpc
from google.auth.credentials import AnonymousCredentials
from google.cloud.logging import Client
from google.cloud.logging_v2._gapic import _LoggingAPI
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport
from google.cloud.logging_v2.types import ListLogEntriesRequest, ListLogEntriesResponse
from google.protobuf import json_format

from collector.records import instant_text
from collector.sources.cloud_logging_api import Quota, http_lister
from collector.sources.cloud_logging_live import Query, fetch

T0_US = 1_795_132_800_000_000
HOUR_US = 3_600_000_000
PAGE = 1000
ROUNDS = 3


def entry(number: int) -> dict[str, Any]:
    """A completion as an application logs it, some 800 bytes."""
    return {
        "insertId": f"{number:016x}", "logName": "projects/acme/logs/inference", "severity": "INFO",
        "timestamp": instant_text(T0_US + number * 10),
        "receiveTimestamp": instant_text(T0_US + number * 10 + 10**6),
        "resource": {"type": "cloud_run_revision", "labels": {"project_id": "acme", "location": "eu"}},
        "labels": {"service": "chat-api", "version": "2026-11-20T08-00"},
        "httpRequest": {"requestMethod": "POST", "status": 200, "latency": "12.3456s", "userAgent": "a/7"},
        "trace": f"projects/acme/traces/{number:032x}", "spanId": f"{number:016x}",
        "jsonPayload": {
            "completion_id": f"cmpl-{number}", "request_id": f"req-{number}", "model": "acme-chat-1",
            "stream": True, "status": "ok",
            "usage": {"input_tokens": 812, "cached_input_tokens": 100, "output_tokens": 2000},
        },
    }  # fmt: skip


def pages(count: int) -> Iterator[dict[str, Any]]:
    """All entries, in pages; the token of a page is the number of the next."""
    for first in range(0, count, PAGE):
        page: dict[str, Any] = {"entries": [entry(number) for number in range(first, min(count, first + PAGE))]}
        if first + PAGE < count:
            page["nextPageToken"] = str(first // PAGE + 1)
        yield page


def serve(count: int, told: Connection) -> None:
    """Both servers, until the process is ended; their ports go into `told`."""
    made = list(pages(count))
    texts = [json.dumps(page).encode() for page in made]
    empty = ListLogEntriesResponse.pb
    protos = [json_format.ParseDict(page, empty(ListLogEntriesResponse())).SerializeToString() for page in made]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = texts[int(asked.get("pageToken") or 0)]
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    method = grpc.unary_unary_rpc_method_handler(
        lambda request, _: protos[int(request.page_token or 0)],
        request_deserializer=ListLogEntriesRequest.deserialize,
        response_serializer=lambda data: data,
    )
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    name = "google.logging.v2.LoggingServiceV2"
    server.add_generic_rpc_handlers((
        grpc.method_handlers_generic_handler(name, {"ListLogEntries": method}),
    ))  # fmt: skip
    told.send((server.add_insecure_port("127.0.0.1:0"), http.server_port))
    server.start()
    http.serve_forever()


def peer(port: int, *, over_grpc: bool) -> int:
    """`client.list_entries`, as its documentation shows it."""
    options = {"api_endpoint": f"http://127.0.0.1:{port}"}
    client = Client(project="acme", credentials=AnonymousCredentials(), client_options=options, _use_grpc=over_grpc)
    if over_grpc:
        channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.max_receive_message_length", -1)])
        client._logging_api = _LoggingAPI(  # noqa: SLF001 - the only way to a server without TLS
            LoggingServiceV2Client(transport=LoggingServiceV2GrpcTransport(channel=channel)), client
        )
    found = client.list_entries(
        resource_names=["projects/acme"], filter_='timestamp>="2026-11-20T00:00:00Z"', page_size=PAGE
    )
    return sum(1 for _ in found)


def ours(port: int, count: int) -> int:
    """The source `cloud-logging`, to the tables that the ledger takes in."""
    query = Query(("acme",), "", 24 * HOUR_US, HOUR_US // 12)
    pieces = fetch(
        "live", query, [], now_us=T0_US + HOUR_US, next_file_id=1, list_page=http_lister(f"127.0.0.1:{port}"),
        quota=Quota(time.monotonic, time.sleep), calls_a_minute=count,
    )  # fmt: skip
    return sum(piece.lines for piece in pieces)


def best(read: Callable[[], int], count: int) -> float:
    """Entries a second in the best of some rounds."""
    rates = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        if read() != count:
            raise SystemExit("not all entries were read")
        rates.append(count / (time.perf_counter() - began))
    return max(rates)


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(count, there), daemon=True)
    process.start()
    grpc_port, http_port = here.recv()
    readers: dict[str, Callable[[], int]] = {
        "client.list_entries, gRPC": lambda: peer(grpc_port, over_grpc=True),
        "client.list_entries, HTTP": lambda: peer(http_port, over_grpc=False),
        "cloud-logging (ours)": lambda: ours(http_port, count),
    }
    rates = {name: best(read, count) for name, read in readers.items()}
    process.terminate()
    base = rates["client.list_entries, gRPC"]
    print(f"{count:,} entries in pages of {PAGE:,}, best of {ROUNDS}")
    for name, rate in rates.items():
        print(f"  {name:<28}{rate:>10,.0f} entries/s {rate / base:>6.1f} x")


if __name__ == "__main__":
    main()
