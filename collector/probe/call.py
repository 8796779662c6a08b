"""One call over a socket of its own, left by FIN or by RST when its instant has come.

A target, an id and how to leave come in; what was seen until then goes out. HTTP/1.1 by h11; no redirect, no retry, no
proxy of the environment, because each would be a call that nobody planned. Every wait is bounded.
"""

import socket
import ssl
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

import h11

from collector import __version__
from collector.probe.plan import Cell, Instant, Way
from collector.probe.target import Target

Clock = Callable[[], int]  # microseconds since 1970
CONNECT_S = 20.0
READ_BYTES = 1 << 16
ANSWER_BYTES_MAX = 64 << 20
DRAINS_MAX = 64
_NO_LINGER = struct.pack("ii", 1, 0)  # socket(7): on close, what is unsent is thrown away and a RST goes out


@dataclass
class Seen:
    """What one call came to. `is_whole`: its answer had arrived to its end; `trouble`: why it failed, if it did.

    Instants in microseconds since 1970: `ended_us` is that of leaving, or of the answer's last byte.
    """

    status_code: int | None = None
    bytes_received: int = 0
    first_us: int | None = None
    ended_us: int = 0
    is_whole: bool = False
    trouble: str = ""
    was_left: bool = False
    answer: bytes = b""  # of a control, as far as it is kept: what it used stands in there


class _Line:
    """The connection of one call, and h11's view of it."""

    def __init__(self, target: Target, patience_s: float, clock_us: Clock) -> None:
        self.seen = Seen()
        self.keeps = False
        self._kept: list[bytes] = []
        self.patience_s, self.clock_us = patience_s, clock_us
        self.first_s: float | None = None
        self._http = h11.Connection(h11.CLIENT)
        self.socket = _connected(target)

    def send(self, target: Target, headers: list[tuple[str, str]]) -> None:
        """The whole request."""
        host = target.url.netloc
        own = [("Host", host), ("Content-Length", str(len(target.body)))]
        request = h11.Request(method="POST", target=target.path, headers=own + headers)
        parts = (request, h11.Data(data=target.body), h11.EndOfMessage())
        self.socket.sendall(b"".join(self._http.send(part) or b"" for part in parts))

    def take_until(self, deadline_s: float) -> bool:
        """Take in what comes next; False when the deadline has passed. Raises OSError and h11's errors."""
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            return False
        self.socket.settimeout(left_s)
        try:
            data = self.socket.recv(READ_BYTES)
        except TimeoutError:
            return False
        self._http.receive_data(data)
        event = self._http.next_event()
        while event is not h11.NEED_DATA and event is not h11.PAUSED:
            self._note(event)
            event = self._http.next_event()
        return True

    def _note(self, event: object) -> None:
        """Keep what counts of one of h11's events."""
        if isinstance(event, h11.Response):
            self.seen.status_code = event.status_code
        elif isinstance(event, h11.Data):
            if self.keeps and self.seen.bytes_received < ANSWER_BYTES_MAX:
                self._kept.append(bytes(event.data))
            self.seen.bytes_received += len(event.data)
            if self.first_s is None:
                self.first_s, self.seen.first_us = time.monotonic(), self.clock_us()
        elif isinstance(event, h11.EndOfMessage):
            self.seen.is_whole, self.seen.answer = True, b"".join(self._kept)

    def leave(self, way: Way) -> None:
        """Be gone, so that the other side is told in that way."""
        if way == "rst":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self.socket.close()
            return
        self.socket.shutdown(socket.SHUT_WR)
        self._drain()  # closing with something unread would send a RST
        self.socket.close()

    def _drain(self) -> None:
        self.socket.settimeout(0)
        try:
            for _ in range(DRAINS_MAX):
                if not self.socket.recv(READ_BYTES):
                    return
        except OSError:
            return


def call(target: Target, ids: dict[str, str], cell: Cell | None, *, patience_s: float, clock_us: Clock) -> Seen:
    """Make one call; `cell` None waits for the whole answer. KeyboardInterrupt leaves by FIN and goes on up.

    `ids` are headers too. A call that is answered before its instant is whole; one that fails says why in `trouble`.
    """
    try:
        line = _Line(target, patience_s, clock_us)
    except OSError as error:
        return Seen(trouble=f"no connection: {_why(error)}", ended_us=clock_us())
    line.keeps = cell is None
    try:
        line.send(target, [*_plain(target), *target.headers, *ids.items()])
        _wait(line, cell)
    except (OSError, h11.RemoteProtocolError) as error:
        line.seen.trouble = f"the connection broke: {_why(error)}"
    finally:
        line.seen.ended_us = clock_us()
        _end(line, cell)
    return line.seen


def _plain(target: Target) -> list[tuple[str, str]]:
    """What every client sends, unless the user says otherwise."""
    given = {name.lower() for name, _ in target.headers}
    usual = {"Content-Type": "application/json", "Accept": "*/*", "User-Agent": f"orphaned-probe/{__version__}"}
    return [(name, value) for name, value in usual.items() if name.lower() not in given]


def _wait(line: _Line, cell: Cell | None) -> None:
    """Until the answer is whole, or the instant to leave has come, or patience has ended."""
    sent_s = time.monotonic()
    while not line.seen.is_whole:
        deadline_s = _deadline_s(line, sent_s, cell.instant if cell else None)
        if not line.take_until(deadline_s):
            break
    waits_for_first = cell is not None and cell.instant.after_first and line.first_s is None
    line.seen.was_left = cell is not None and not line.seen.is_whole and not waits_for_first
    if not line.seen.is_whole and not line.seen.was_left:
        line.seen.trouble = f"no {'first byte' if waits_for_first else 'whole answer'} within {line.patience_s:g} s"


def _deadline_s(line: _Line, sent_s: float, at: Instant | None) -> float:
    patience_s = sent_s + line.patience_s
    if at is None or (at.after_first and line.first_s is None):
        return patience_s
    since_s = line.first_s if at.after_first and line.first_s is not None else sent_s
    return min(patience_s, since_s + at.delay_us / 1e6)


def _end(line: _Line, cell: Cell | None) -> None:
    try:
        line.leave(cell.way if cell and line.seen.was_left else "fin")
    except OSError:  # the other side was faster
        line.socket.close()


def _connected(target: Target) -> socket.socket:
    host, tls = target.url.hostname or "", target.url.scheme == "https"
    plain = socket.create_connection((host, target.url.port or (443 if tls else 80)), timeout=CONNECT_S)
    if not tls:
        return plain
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _why(error: Exception) -> str:
    """What a person needs of an error. It holds nothing of what was sent."""
    if isinstance(error, OSError):
        return error.strerror or (str(error) or type(error).__name__)
    return type(error).__name__
