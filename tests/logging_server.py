"""A stand-in for Cloud Logging on loopback: entries go in, the real client reads them over HTTP or gRPC.

It selects by the limits of time in the filter, orders by timestamp, cuts pages and hands out tokens, as the
API's reference says. Faults are told beforehand: what the next calls answer, who may not read, which pages
are empty.
"""

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import grpc
from google.cloud.logging_v2.types import ListLogEntriesRequest, ListLogEntriesResponse
from google.protobuf import json_format

from tests.loopback import json_server

Entry = dict[str, Any]
LIMIT = re.compile(r'\b(receiveTimestamp|timestamp)(>=|<)"([^"]+)"')
STATUSES = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
SERVICE = "google.logging.v2.LoggingServiceV2"


class FaultError(Exception):
    """The call is answered with this HTTP status."""

    def __init__(self, status: int, message: str = "as the test says") -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass
class Store:
    """What the server knows, and what it has been asked. `faults`: how the next calls end (0: well)."""

    entries: dict[str, list[Entry]] = field(default_factory=dict)  # by project
    page_entries: int = 1000
    empty_first: bool = False  # every read begins with an empty page that carries a token
    faults: list[int] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)
    asked: list[dict[str, Any]] = field(default_factory=list)
    tokens: dict[str, tuple[str, str, int]] = field(default_factory=dict)  # token -> project, filter, offset

    def put(self, project: str, *entries: Entry) -> None:
        """Entries of a project that have been received."""
        self.entries.setdefault(project, []).extend(entries)

    def page(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One answer of entries.list. Raises FaultError."""
        self.asked.append(asked)
        if self.faults and (status := self.faults.pop(0)):
            raise FaultError(status)
        (name,) = asked["resourceNames"]
        project, text, token = name.removeprefix("projects/"), asked.get("filter", ""), asked.get("pageToken")
        if project in self.denied:
            raise FaultError(403, "Permission 'logging.logEntries.list' denied")
        offset = self._offset(project, text, token)
        found, size = self._selected(project, text), min(asked["pageSize"], self.page_entries)
        if self.empty_first and not token:
            return {"nextPageToken": self._token(project, text, 0)}
        page: dict[str, Any] = {"entries": found[offset : offset + size]}
        if offset + size < len(found):
            page["nextPageToken"] = self._token(project, text, offset + size)
        return page

    def _offset(self, project: str, text: str, token: str | None) -> int:
        if not token:
            return 0
        if token not in self.tokens or self.tokens[token][:2] != (project, text):
            raise FaultError(400, "page_token doesn't match arguments from the request")
        return self.tokens[token][2]

    def _token(self, project: str, text: str, offset: int) -> str:
        token = f"t{len(self.tokens)}"
        self.tokens[token] = (project, text, offset)
        return token

    def _selected(self, project: str, text: str) -> list[Entry]:
        limits = [(name, sign, datetime.fromisoformat(at)) for name, sign, at in LIMIT.findall(text)]
        found = [entry for entry in self.entries.get(project, []) if _within(entry, limits)]
        return sorted(found, key=lambda entry: (entry["timestamp"], entry["insertId"]))


def _within(entry: Entry, limits: Sequence[tuple[str, str, datetime]]) -> bool:
    for name, sign, at in limits:
        stamp = datetime.fromisoformat(entry[name])
        if not (stamp >= at if sign == ">=" else stamp < at):
            return False
    return True


@contextmanager
def http_server(store: Store) -> Iterator[str]:
    """Serve POST /v2/entries:list; the address as host:port."""

    def answer(_method: str, _path: str, asked: Any) -> tuple[int, Any]:
        try:
            return 200, store.page(asked)
        except FaultError as fault:
            error = {"code": fault.status, "message": fault.message, "status": STATUSES[fault.status]}
            return fault.status, {"error": error}

    with json_server(answer) as address:
        yield address


@contextmanager
def grpc_server(store: Store) -> Iterator[str]:
    """Serve ListLogEntries; the address as host:port."""

    def list_log_entries(request: Any, _context: object) -> Any:
        page = store.page({
            "resourceNames": list(request.resource_names), "filter": request.filter,
            "orderBy": request.order_by, "pageSize": request.page_size or 50, "pageToken": request.page_token,
        })  # fmt: skip
        return json_format.ParseDict(page, ListLogEntriesResponse.pb(ListLogEntriesResponse()))

    method = grpc.unary_unary_rpc_method_handler(
        list_log_entries,
        request_deserializer=ListLogEntriesRequest.deserialize,
        response_serializer=lambda message: message.SerializeToString(),
    )
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    server.add_generic_rpc_handlers((
        grpc.method_handlers_generic_handler(SERVICE, {"ListLogEntries": method}),
    ))  # fmt: skip
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
