"""Servers on loopback: one that answers JSON with JSON, for an API of somebody else's, and programs that serve HTTP.

In: what is answered, or a command line. Out: a server that is ready, and stopped and waited for at the end.
"""

import json
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

WAIT_SECONDS = 120
_LOOK_SECONDS = 0.1
Answer = Callable[[str, str, Any], tuple[int, Any]]  # method, path, what was asked -> status, what is told


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Callers may be killed."""


@contextmanager
def json_server(answer: Answer) -> Iterator[str]:
    """Serve GET and POST by `answer`; the address as host:port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, asked: Any) -> None:
            status, told = answer(self.command, self.path, asked)
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    listening = _Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listening.server_port}"
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def until(true: Callable[[], object], what: str) -> None:
    """Waits until `true()`, and fails after a bounded time with what never came."""
    end = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < end, f"waited {WAIT_SECONDS} s in vain: {what}"
        time.sleep(_LOOK_SECONDS)


@contextmanager
def served(command: Sequence[str | Path], address: str, log: Path) -> Iterator[None]:
    """The program while it runs, from when it says at `address` that it is ready, as Prometheus and its kin do."""
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        try:
            until(lambda: process.poll() is not None or _is_ready(address), f"{address} ready")
            assert process.poll() is None, log.read_text(encoding="utf-8")
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
