"""A small HTTP server for a handful of read-only paths.

A table of path to answer comes in; GET and HEAD are served from it, on exactly one host and port. It refuses
every other method and path, keeps no connection open, and gives a slow client ten seconds.
"""

import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from collector.problems import OperatingError, UsageError

CLIENT_SECONDS_MAX = 10
_POLL_SECONDS = 0.1
_SAFE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, whole."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def text(cls, status: int, line: str) -> "Answer":
        """One line of plain text."""
        return cls(status, f"{line}\n".encode(), {"Content-Type": "text/plain; charset=utf-8"})

    @classmethod
    def html(cls, text: str) -> "Answer":
        """A page."""
        return cls(200, text.encode(), {"Content-Type": "text/html; charset=utf-8"})


Answers = Mapping[str, Callable[[str, str], Answer]]


class Handler(BaseHTTPRequestHandler):
    """One request; `answers` is set by `listening`."""

    answers: Answers
    timeout = CLIENT_SECONDS_MAX
    server_version = "orphaned-inference"
    sys_version = ""

    def do_GET(self) -> None:
        """Answers from the table, 404 for what is not in it."""
        made = self.answers.get(urlsplit(self.path).path)
        if made is None:
            self._send(Answer.text(404, f"not found; there are {' '.join(sorted(self.answers))}"))
        else:
            self._send(made(self.headers.get("Accept", ""), self.headers.get("Accept-Encoding", "")))

    do_HEAD = do_GET  # noqa: N815 (the parent looks for these names)

    def do_POST(self) -> None:
        """Refuses: nothing can be changed from here."""
        self._send(Answer.text(405, "only GET and HEAD"), {"Allow": "GET, HEAD"})

    do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_POST  # noqa: N815

    def _send(self, answer: Answer, more: Mapping[str, str] | None = None) -> None:
        self.send_response(answer.status)
        headers = {**_SAFE, **answer.headers, **(more or {}), "Content-Length": str(len(answer.body))}
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is the parent's)
        """Says nothing: a line a scrape would bury the line a run."""


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def server_bind(self) -> None:
        # The parent asks DNS for the host's own name here, which can hang for seconds and is not used. A port whose
        # last clients the system still remembers (for a minute) may be had again: restarts come sooner than that.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing of clients that leave in the middle of an answer."""


class Server:
    """A bound server, with the thread that serves."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """host:port, with the port that was taken."""
        host = self._server.server_name
        return f"[{host}]:{self._server.server_port}" if ":" in host else f"{host}:{self._server.server_port}"

    def start(self) -> None:
        """Serves from a thread of its own until `stop`."""
        serve = self._server.serve_forever
        self._thread = threading.Thread(target=serve, args=[_POLL_SECONDS], name="http", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops serving and gives the port back."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def listening(listen: str, answers: Answers) -> Server:
    """A server bound to `listen` and not yet serving. OperatingError when the address cannot be had."""
    host, port = host_and_port(listen)
    handler = type("Handler", (Handler,), {"answers": answers})
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = type("Threads", (_Threads,), {"address_family": family})
    try:
        return Server(kind((host, port), handler))
    except OSError as refused:
        raise OperatingError(
            f"cannot listen on {listen}: {refused.strerror or refused}; "
            "stop the program that uses it, or set http.listen to another address of this machine"
        ) from refused


def host_and_port(listen: str) -> tuple[str, int]:
    """`127.0.0.1:9747` or `[::1]:9747` in its two parts. UsageError for anything else."""
    host, colon, port = listen.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not (colon and bare and port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise UsageError(f"http.listen must be host:port, such as 127.0.0.1:9747, not {listen!r}")
    return bare, int(port)
