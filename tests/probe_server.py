"""An endpoint on loopback that a probe calls: it holds its answers, and says how each caller left.

In: how it answers. Out: the requests it got, and for each how its connection ended: `fin`, `rst`, or `answered`.
"""

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

Manner = Literal["holds", "holds midway", "answers", "answers late", "refuses", "drops"]
SECONDS_MAX = 20.0
LATE_SECONDS = 1.5
BODY = b'{"usageMetadata": {"promptTokenCount": 40, "candidatesTokenCount": 90, "thoughtsTokenCount": 10}}'


@dataclass
class Endpoint:
    """A listening server; `manners` in the order of the requests, the last one for all that follow."""

    manners: list[Manner]
    tls: ssl.SSLContext | None = None
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    ended: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @property
    def url(self) -> str:
        """Where a unary call goes; `stream` below it."""
        return f"http{'s' if self.tls else ''}://localhost:{self.port}/v1beta/models/gemini-3.5-flash:generateContent"

    @property
    def stream_url(self) -> str:
        """Where a streamed one goes."""
        return self.url.replace(":generateContent", ":streamGenerateContent?alt=sse")

    def wait_for_ends(self, count: int) -> list[str]:
        """How so many callers have left."""
        for _ in range(count):
            assert self.ended.acquire(timeout=SECONDS_MAX), f"only {self.ends}"
        return self.ends[:count]

    def serve(self, listening: socket.socket) -> None:
        """One caller after the other, until the socket is closed."""
        with suppress(OSError):
            while True:
                self._one(listening.accept()[0])

    def _one(self, line: socket.socket) -> None:
        line.settimeout(SECONDS_MAX)
        with suppress(OSError), self.tls.wrap_socket(line, server_side=True) if self.tls else line as talk:
            self.requests.append(_request(talk))
            self.arrived.release()
            manner = self.manners[min(len(self.requests), len(self.manners)) - 1]
            _ANSWERS[manner](talk)
            self.ends.append(_end(talk) if manner.startswith("holds") else "answered")
            self.ended.release()


def _request(talk: socket.socket) -> bytes:
    """Head and body of a request."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += talk.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += talk.recv(65536)
    return head + b"\r\n\r\n" + body


def _whole(talk: socket.socket) -> None:
    talk.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY))


def _late(talk: socket.socket) -> None:
    time.sleep(LATE_SECONDS)
    _whole(talk)


def _half(talk: socket.socket) -> None:
    talk.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")


def _refusal(talk: socket.socket) -> None:
    talk.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")


def _nothing(_talk: socket.socket) -> None:
    """Not a byte."""


_ANSWERS = {
    "holds": _nothing, "holds midway": _half, "answers": _whole, "answers late": _late,
    "refuses": _refusal, "drops": _nothing,
}  # fmt: skip


def _end(talk: socket.socket) -> str:
    """How the other side has gone. Asked of the socket itself: TLS tells both ends alike."""
    with socket.socket(fileno=os.dup(talk.fileno())) as bare:
        bare.settimeout(SECONDS_MAX)
        try:
            return "fin" if bare.recv(1) == b"" else "more"
        except ConnectionResetError:
            return "rst"


@contextmanager
def endpoint(*manners: Manner, tls: ssl.SSLContext | None = None) -> Iterator[Endpoint]:
    """One that listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = Endpoint([*manners], tls, listening.getsockname()[1])
        thread = threading.Thread(target=made.serve, args=(listening,), daemon=True)
        thread.start()
        yield made
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(SECONDS_MAX)
