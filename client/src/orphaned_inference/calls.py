"""One call, from before its first byte leaves until its last has come or never will: two lines of the client log.

A hook says what it sees (`begin`, `answered`, `received`, `complete`, `left`); this module decides whether it is an
inference call and how it ended. Whoever comes first ends a call; all later words about it count for nothing.
Nothing in here raises an Exception.
"""

from __future__ import annotations

import functools
import os
import re
import socket
import sys
import time
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Callable, Optional

from orphaned_inference import deadlines
from orphaned_inference.bodies import Facts, facts_of
from orphaned_inference.journal import Journal, instant
from orphaned_inference.quiet import quietly, tell
from orphaned_inference.reasons import (
    CANCELLED,
    DELIVERED,
    FAILED,
    INTERRUPT,
    Ending,
    closing_of,
    ending_of,
)
from orphaned_inference.routes import Route, RouteMatch, match
from orphaned_inference.scanning import Scanner

REQUEST_ID = "x-request-id"
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_STREAM_TYPES = ("text/event-stream", "application/x-ndjson", "application/vnd.amazon.eventstream")
_ID_CHARS_MAX = 200
_SCANNED_BYTES = 16 << 10  # looked at in one go
_FAILED_FROM = 400  # HTTP's first status that tells of an error

Header = Callable[[str], Optional[str]]


@dataclass(frozen=True, eq=False)  # a key of the cache of routes, by identity
class Watch:
    """Where calls are written to, under which service, and the user's own routes."""

    journal: Journal
    service: str | None
    routes: Sequence[Route]


class _State:
    """What this process is watching: at most one Watch, the calls that are open, and the last signal to stop."""

    watch: Watch | None = None
    is_hooked = False  # once for good: a watch may be switched off, its hooks stay
    signalled_at: float = float("-inf")  # seconds of time.monotonic


STATE = _State()
OPEN: dict[str, Call] = {}
# The call that the code around us is just sending: a client built on another one must not count twice.
SENDING: ContextVar[Call | None] = ContextVar("orphaned_inference_sending", default=None)


class Call:
    """One attempt at an inference request. `adds_header`: the request came without an id and was given one."""

    def __init__(self, watch: Watch, route: RouteMatch, facts: Facts, request_id: str | None) -> None:
        self.call_id = os.urandom(16).hex()
        self.adds_header = not request_id
        self.request_id = request_id or self.call_id
        self.route = route
        self.facts = facts
        self.bytes_received = 0
        self.status_code: int | None = None
        self._watch = watch
        self._began_at = time.monotonic()
        self._response_id: str | None = None
        self._scanner: Scanner | None = None
        self._waiting: list[bytes] = []  # what has come since the last scan
        self._scan_from = _SCANNED_BYTES

    @property
    def is_open(self) -> bool:
        """Whether its end has not been written yet."""
        return self.call_id in OPEN

    @quietly
    def answered(self, status_code: int, header: Header) -> None:
        """The head of the response has come."""
        self.status_code = status_code
        kind = (header("content-type") or "").partition(";")[0].strip().lower()
        self._response_id = header("x-amzn-requestid") if self.route.provider == "aws.bedrock" else None
        self._scanner = Scanner(
            self.route.operation,
            is_stream=kind in _STREAM_TYPES or bool(self.facts.stream or self.route.stream),
            encoding=(header("content-encoding") or "").strip().lower(),
            choices=self.facts.choices,
        )

    def received(self, data: bytes) -> None:
        """Bytes of the body have come. Called for every event of a stream: they are kept until a scan is worth it."""
        try:
            self.bytes_received = received = self.bytes_received + len(data)
            self._waiting.append(data)
            if received >= self._scan_from:
                self._scan_waiting()
        except Exception:  # noqa: BLE001 - ours, not the host's
            tell()

    @quietly
    def complete(self) -> None:
        """The last byte has come."""
        self._scan_rest()
        in_error = self.status_code is not None and self.status_code >= _FAILED_FROM
        told_error = self._scanner is not None and self._scanner.failed
        self._end(FAILED if in_error or told_error else DELIVERED)

    @quietly
    def broken(self, error: BaseException) -> None:
        """`error` came out of the library: the rest will never come."""
        if not self.is_open:
            return
        status = getattr(error, "status", None)
        if self.status_code is None and type(status) is int and status >= _FAILED_FROM:
            self.status_code = status
        self._end_early(ending_of(error, signalled=self._is_signalled(), overdue=deadlines.is_overdue(error)))

    @quietly
    def closed(self) -> None:
        """The program closed the response before its end, perhaps while it handled an exception."""
        if not self.is_open:
            return
        error = sys.exc_info()[1]
        self._end_early(closing_of(error, signalled=self._is_signalled(), overdue=deadlines.is_overdue(error)))

    @quietly
    def end(self, ending: Ending) -> None:
        """It ended so, for all that anybody knows; what has come by then is counted, and may say more."""
        try:
            self._end_early(ending)
        finally:
            self._end(ending)  # a signal may have broken into a scan, which then fails

    def _is_signalled(self) -> bool:
        return self._began_at <= STATE.signalled_at

    def _end_early(self, ending: Ending) -> None:
        self._scan_rest()
        if self.status_code is not None and self.status_code >= _FAILED_FROM:
            ending = FAILED
        elif self._scanner is not None and self._scanner.whole:
            ending = DELIVERED
        self._end(ending)

    def _scan_waiting(self) -> None:
        self._scan_from = self.bytes_received + _SCANNED_BYTES
        waiting, self._waiting = self._waiting, []
        if self._scanner is not None:
            self._scanner.feed(b"".join(waiting))

    def _scan_rest(self) -> None:
        self._scan_waiting()
        if self._scanner is not None:
            self._scanner.end()

    def _end(self, ending: Ending) -> None:
        if OPEN.pop(self.call_id, None) is None:
            return
        scanner = self._scanner
        self._watch.journal.write({
            "event": "ended", "call_id": self.call_id, "at": instant(time.time_ns()), "outcome": ending.outcome,
            "reason": ending.reason, "status_code": self.status_code, "bytes_received": self.bytes_received,
            "output_tokens_received": scanner.output_tokens if scanner else None,
            "response_id": (scanner.response_id if scanner else None) or self._response_id,
        })  # fmt: skip


@quietly
def begin(method: str, url: str, header: Header, body: Any, *, retry_of: str | None = None) -> Call | None:
    """The call that is about to be sent, with its `started` line written; None if it is no inference call."""
    watch = STATE.watch
    if watch is None or method.upper() != "POST":
        return None
    route = _route(url, watch)
    if route is None:
        return None
    request_id, outer = header(REQUEST_ID), SENDING.get()
    if outer is not None and outer.is_open and outer.request_id == request_id:
        return None
    facts = facts_of(body)
    if facts.background:  # filed as a job: it goes on whether this connection does or not (cancelling.py)
        return None
    call = Call(watch, route, facts, request_id)
    try:
        OPEN[call.call_id] = call
        _write_started(watch, call, header, retry_of)
    except BaseException as error:
        if not isinstance(error, Exception):  # Ctrl-C, just now
            call.broken(error)
        OPEN.pop(call.call_id, None)  # without a start on record an end would tell nothing
        raise
    return call


def end_all(ending: Ending) -> None:
    """Every call that is still open ended so: the process is about to go."""
    for call in list(OPEN.values()):
        call.end(ending)


def end_at_exit() -> None:
    """The interpreter goes while calls are open, in daemon threads or in responses that nobody closed."""
    interrupted = getattr(sys, "last_type", None) is KeyboardInterrupt
    for call in list(OPEN.values()):
        call.end(INTERRUPT if interrupted or call._is_signalled() else CANCELLED)  # noqa: SLF001 - same module


def forget() -> None:
    """In a forked child: the open calls are the parent's, and so is the right to end them."""
    OPEN.clear()
    process_name.cache_clear()


@functools.lru_cache(maxsize=1)
def process_name() -> str:
    """Host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


@functools.lru_cache(maxsize=1)
def program_name() -> str:
    """What the program is called: its module, or its script without the suffix."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    name = getattr(spec, "name", None)
    if name:
        return str(name).replace(".__main__", "")
    script = os.path.basename(getattr(sys, "argv", [""])[0])
    return os.path.splitext(script)[0] or "python"


def _route(url: str, watch: Watch) -> RouteMatch | None:
    return _matched(url.partition("?")[0] if "alt=sse" not in url else url, watch)


@functools.lru_cache(maxsize=1024)
def _matched(url: str, watch: Watch) -> RouteMatch | None:
    return match(url, watch.routes)


def _write_started(watch: Watch, call: Call, header: Header, retry_of: str | None) -> None:
    route, facts = call.route, call.facts
    trace_id, span_id = trace_of(header)
    record = {
        "event": "started", "call_id": call.call_id, "at": instant(time.time_ns()),
        "service": route.service or watch.service or program_name(), "provider": route.provider,
        "account": route.account or _account(header), "model": route.model or facts.model,
        "operation": route.operation, "stream": bool(route.stream or facts.stream),
        "request_id": call.request_id[:_ID_CHARS_MAX], "trace_id": trace_id, "span_id": span_id, "retry_of": retry_of,
        "process": process_name(),
    }  # fmt: skip
    retries = header("x-stainless-retry-count") or ""
    optional: dict[str, int | None] = {
        "max_output_tokens": facts.max_output_tokens,
        "request_bytes": facts.request_bytes,
        "retry_count": int(retries) if retries.isascii() and retries.isdigit() else None,
    }
    watch.journal.write({**record, **{key: value for key, value in optional.items() if value is not None}})


def trace_of(header: Header) -> tuple[str | None, str | None]:
    """Trace and span of W3C's header, if there is one."""
    found = _TRACEPARENT.fullmatch(header("traceparent") or "")
    return (found.group(1), found.group(2)) if found else (None, None)


def _account(header: Header) -> str | None:
    return header("openai-project") or header("openai-organization") or header("x-goog-user-project")


def header_of(pairs: Iterable[tuple[Any, Any]]) -> Header:
    """Looks into headers by small letters. In: their names and values, as text or bytes."""
    found = {name.lower(): value for name, value in pairs}
    if found and isinstance(next(iter(found)), bytes):
        found = {name.decode("latin-1"): value.decode("latin-1") for name, value in found.items()}
    return found.get
