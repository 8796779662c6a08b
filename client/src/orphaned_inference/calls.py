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
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any, Callable, Optional

from orphaned_inference import deadlines
from orphaned_inference.bodies import Facts, facts_of
from orphaned_inference.journal import Journal, instant, number_or_null, text_or_null
from orphaned_inference.quiet import quietly
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
_UNTRACED = '"trace_id":null,"span_id":null'
_STREAM_TYPES = ("text/event-stream", "application/x-ndjson", "application/vnd.amazon.eventstream")
_ID_CHARS_MAX = 200
# Pieces of a body that are looked at in one go. The libraries read 64 KiB at most in one, so some MiB wait at most; the
# pieces of a stream are events, some hundred bytes each.
_PIECES, _STREAM_PIECES = 16, 128
_FAILED_FROM = 400  # HTTP's first status that tells of an error
_DIGITS_MAX = 9

Header = Callable[[str], Optional[str]]
# What is looked for among headers, as text or bytes -> as text.
HEADERS: Mapping[Any, str] = {
    key: name
    for name in (
        REQUEST_ID, "traceparent", "x-stainless-retry-count", "openai-project", "openai-organization",
        "x-goog-user-project", "content-type", "content-encoding", "x-amzn-requestid",
    )
    for key in (name, name.encode())
}  # fmt: skip


@dataclass(frozen=True, eq=False)  # a key of the cache of routes, by identity
class Watch:
    """Where calls are written to, under which service, and the user's own routes."""

    journal: Journal
    service: str | None
    routes: Sequence[Route]


@dataclass(frozen=True, eq=False)  # a key as well
class _Place:
    """What a URL says of its calls, and the service they are logged under."""

    route: RouteMatch
    service: str


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

    __slots__ = (
        "_began_at", "_response_id", "_scanned_bytes", "_scanner", "adds_header", "call_id",
        "facts", "journal", "pieces_max", "request_id", "route", "status_code", "waiting",
    )  # fmt: skip

    def __init__(self, watch: Watch, route: RouteMatch, facts: Facts, request_id: str | None) -> None:
        self.call_id = os.urandom(16).hex()
        self.adds_header = not request_id
        self.request_id = request_id or self.call_id
        self.route = route
        self.facts = facts
        self.status_code: int | None = None
        self.journal = watch.journal
        self._began_at = time.monotonic()
        self._response_id: str | None = None
        self._scanner: Scanner | None = None
        self._scanned_bytes = 0
        self.pieces_max = _PIECES
        self.waiting: list[bytes] = []  # what has come since the last scan; a hook may add to it itself

    def drop(self) -> None:
        """It can be followed no further: an end that is made up might be an abort, so none is written."""
        OPEN.pop(self.call_id, None)

    @property
    def is_open(self) -> bool:
        """Whether its end has not been written yet."""
        return self.call_id in OPEN

    @quietly
    def answered(self, status_code: int, header: Header) -> None:
        """The head of the response has come."""
        self.status_code = status_code
        is_stream = bool(self.facts.stream or self.route.stream)
        if not is_stream:
            is_stream = (header("content-type") or "").partition(";")[0].strip().lower() in _STREAM_TYPES
        self.pieces_max = _STREAM_PIECES if is_stream else _PIECES
        self._response_id = header("x-amzn-requestid") if self.route.provider == "aws.bedrock" else None
        encoding = header("content-encoding")
        self._scanner = Scanner(
            self.route.operation,
            is_stream=is_stream,
            encoding=encoding.strip().lower() if encoding else "",
            choices=self.facts.choices,
        )

    @property
    def bytes_received(self) -> int:
        """Of the body, as they came off the wire."""
        return self._scanned_bytes + sum(map(len, self.waiting))

    def received(self, data: bytes) -> None:
        """Bytes of the body have come: they are kept until a scan is worth it."""
        self.waiting.append(data)
        if len(self.waiting) >= self.pieces_max:
            self.scan()

    @quietly
    def scan(self) -> None:
        """Look at what has come since the last time."""
        waiting = self.waiting[:]
        del self.waiting[: len(waiting)]  # the list itself stays: a hook adds to it
        scanner = self._scanner
        if scanner is None or not scanner.is_readable:
            self._scanned_bytes += sum(map(len, waiting))
        elif waiting:
            data = b"".join(waiting)
            self._scanned_bytes += len(data)
            scanner.feed(data)

    @quietly
    def complete(self) -> None:
        """The last byte has come."""
        self._scan_rest(is_whole=True)
        in_error = self.status_code is not None and self.status_code >= _FAILED_FROM
        told_error = self._scanner is not None and self._scanner.failed
        self._end(FAILED if in_error or told_error else DELIVERED)

    def broken(self, error: BaseException) -> None:
        """`error` came out of the library: the rest will never come."""
        if self.call_id in OPEN:
            self._broken(error)

    @quietly
    def _broken(self, error: BaseException) -> None:
        status = getattr(error, "status", None)
        if self.status_code is None and type(status) is int and status >= _FAILED_FROM:
            self.status_code = status
        self._end_early(ending_of(error, signalled=self._is_signalled(), overdue=deadlines.is_overdue(error)))

    def closed(self) -> None:
        """The program closed the response before its end, perhaps while it handled an exception."""
        if self.call_id in OPEN:
            self._closed()

    @quietly
    def _closed(self) -> None:
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

    def _scan_rest(self, *, is_whole: bool = False) -> None:
        scanner = self._scanner
        if scanner is not None and is_whole:
            scanner.whole = True
        if self.waiting:
            self.scan()
        if scanner is not None:
            scanner.end()

    def _end(self, ending: Ending) -> None:
        if OPEN.pop(self.call_id, None) is None:
            return
        scanner = self._scanner
        tokens = scanner.output_tokens if scanner is not None else None
        response_id = (scanner.response_id if scanner is not None else None) or self._response_id
        self.journal.append(
            f'{{"event":"ended","call_id":"{self.call_id}","at":"{instant(time.time_ns())}",'
            f'"outcome":"{ending.outcome}","reason":{text_or_null(ending.reason)},'
            f'"status_code":{number_or_null(self.status_code)},"bytes_received":{self.bytes_received},'
            f'"output_tokens_received":{number_or_null(tokens)},"response_id":{text_or_null(response_id)}}}'
        )


@quietly
def begin(method: str, url: str, header: Header, body: Any, *, retry_of: str | None = None) -> Call | None:
    """The call that is about to be sent, with its `started` line written; None if it is no inference call."""
    watch = STATE.watch
    if watch is None or method.upper() != "POST":
        return None
    place = _place(url.partition("?")[0] if "alt=sse" not in url else url, watch)
    if place is None:
        return None
    request_id, outer = header(REQUEST_ID), SENDING.get()
    if outer is not None and outer.is_open and outer.request_id == request_id:
        return None
    facts = facts_of(body)
    if facts.background:  # filed as a job: it goes on whether this connection does or not (cancelling.py)
        return None
    call = Call(watch, place.route, facts, request_id)
    try:
        OPEN[call.call_id] = call
        _write_started(place, call, header, retry_of)
    except BaseException as error:
        if not isinstance(error, Exception):  # Ctrl-C, just now
            call.broken(error)
        OPEN.pop(call.call_id, None)  # without a start on record an end would tell nothing
        raise
    return call


def restore(variable: ContextVar[Any], token: Token[Any]) -> None:
    """Give a variable its value of before. A coroutine that is thrown away ends in a context where it has none."""
    try:
        variable.reset(token)
    except ValueError:
        return


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


@functools.lru_cache(maxsize=1024)
def _place(url: str, watch: Watch) -> _Place | None:
    route = match(url, watch.routes)
    return _Place(route, route.service or watch.service or program_name()) if route is not None else None


@functools.lru_cache(maxsize=256)
def _target(place: _Place, account: str | None, model: str | None, is_stream: bool) -> str:  # noqa: FBT001 - a key
    """The part of a `started` line that many calls have in common."""
    route = place.route
    return (
        f'"service":{text_or_null(place.service)},"provider":{text_or_null(route.provider)},'
        f'"account":{text_or_null(route.account or account)},"model":{text_or_null(route.model or model)},'
        f'"operation":{text_or_null(route.operation)},"stream":{"true" if route.stream or is_stream else "false"}'
    )


def _write_started(place: _Place, call: Call, header: Header, retry_of: str | None) -> None:
    facts = call.facts
    account = header("openai-project") or header("openai-organization") or header("x-goog-user-project")
    line = (
        f'{{"event":"started","call_id":"{call.call_id}","at":"{instant(time.time_ns())}",'
        f"{_target(place, account, facts.model, bool(facts.stream))},"
        f'"request_id":{text_or_null(call.request_id[:_ID_CHARS_MAX])},{_traced(header("traceparent"))},'
        f'"retry_of":{text_or_null(retry_of)},"process":{text_or_null(process_name())}'
    )
    if facts.max_output_tokens is not None:
        line += f',"max_output_tokens":{facts.max_output_tokens}'
    if facts.request_bytes is not None:
        line += f',"request_bytes":{facts.request_bytes}'
    retries = header("x-stainless-retry-count")
    if retries and retries.isascii() and retries.isdigit() and len(retries) <= _DIGITS_MAX:
        line += f',"retry_count":{int(retries)}'
    call.journal.append(line + "}")


def _traced(told: str | None) -> str:
    """Trace and span of W3C's header, if there is one."""
    found = _TRACEPARENT.fullmatch(told) if told else None
    return '"trace_id":"{}","span_id":"{}"'.format(*found.groups()) if found else _UNTRACED


def header_of(pairs: Iterable[tuple[Any, Any]]) -> Header:
    """Looks up those headers that are asked for here. In: names and values, as text or bytes."""
    found: dict[str, str] = {}
    for name, value in pairs:
        known = HEADERS.get(name.lower())
        if known is not None:
            found[known] = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return found.get
