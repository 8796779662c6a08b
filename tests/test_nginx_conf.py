"""The shipped nginx log format: nginx takes it, and its lines have exactly the keys that the source reads."""

import http.client
import json
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.tools import need

CONF = Path(__file__).parents[1] / "deploy" / "nginx" / "orphaned.conf"
KEYS = [
    "msec",
    "request_id",
    "request_method",
    "request_uri",
    "status",
    "request_time",
    "bytes_sent",
    "request_completion",
    "upstream_status",
    "upstream_header_time",
    "upstream_response_time",
    "upstream_bytes_received",
    "http_traceparent",
    "http_x_stainless_retry_count",
    "http_x_request_id",
]
SENT = {"x-request-id": "mine", "traceparent": "00-a-b-01", "x-stainless-retry-count": "2"}
LOCATION = re.compile(r"^#     (.*)$", re.MULTILINE)


class Backend(BaseHTTPRequestHandler):
    """Answers at once, or never where the path says `slow`; keeps the ids it was sent."""

    ids: list[str | None]

    def do_GET(self) -> None:
        """One answer."""
        self.ids.append(self.headers.get("X-Request-ID"))
        if "slow" in self.path:
            time.sleep(1.5)
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is the parent's)
        """Says nothing."""


@contextmanager
def backend(ids: list[str | None]) -> Iterator[int]:
    """A backend's port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Backend,), {"ids": ids}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def config(room: Path, port: int, backend_port: int) -> Path:
    """A whole nginx config around the shipped file, with the settings its comment recommends."""
    room.chmod(0o755)
    recommended = [line for line in LOCATION.findall(CONF.read_text(encoding="utf-8")) if ";" in line]
    location = "\n".join(recommended).replace("/var/log/nginx/orphaned.json", f"{room}/log.json")
    temporary = "\n".join(
        f"{name}_temp_path {room}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = room / "nginx.conf"
    whole.write_text(
        f"pid {room}/pid; error_log {room}/error.log; daemon off; master_process off;\n"
        f"events {{}}\nhttp {{ {temporary}\n include {CONF};\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{\n{location}\n"
        f"proxy_pass http://127.0.0.1:{backend_port}; }} }} }}\n",
        encoding="utf-8",
    )
    return whole


@contextmanager
def nginx(room: Path, backend_port: int) -> Iterator[int]:
    """A running nginx's port."""
    port = free_port()
    command = [need("nginx", "nginx"), "-p", str(room), "-c", str(config(room, port, backend_port))]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as started:
        try:
            wait_for(port)
            yield port
        finally:
            started.terminate()
            started.wait(10)


def wait_for(port: int) -> None:
    """Until somebody listens."""
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail("nginx did not start")


def logged(room: Path, path: str) -> dict[str, str]:
    """The log line of one path."""
    for _ in range(200):
        text = (room / "log.json").read_text(encoding="utf-8") if (room / "log.json").exists() else ""
        lines = [json.loads(line) for line in text.splitlines()]
        found: list[dict[str, str]] = [line for line in lines if line["request_uri"] == path]
        if found:
            return found[0]
        time.sleep(0.02)
    pytest.fail(f"no line for {path}")


def test_nginx_accepts_the_config(tmp_path: Path) -> None:
    """`nginx -t` has nothing against the shipped file and the settings it recommends."""
    whole = config(tmp_path, free_port(), 1)
    done = subprocess.run(
        [need("nginx", "nginx"), "-t", "-p", str(tmp_path), "-c", str(whole)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


def test_a_line_has_exactly_the_keys(tmp_path: Path) -> None:
    """A real line is one JSON object with the keys of the source, and the id that the backend was sent."""
    ids: list[str | None] = []
    with backend(ids) as backend_port, nginx(tmp_path, backend_port) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", '/v1/a"b\\c', headers=SENT)
        assert connection.getresponse().read() == b"hello"
        line = logged(tmp_path, '/v1/a"b\\c')
        connection.close()
    assert list(line) == KEYS
    assert [line["request_id"]] == ids
    assert {name: line[f"http_{name.replace('-', '_')}"] for name in SENT} == SENT
    assert (line["status"], line["request_completion"]) == ("200", "OK")


def test_a_client_that_leaves_shows(tmp_path: Path) -> None:
    """A client that leaves before any answer is logged with 499 and no completion."""
    with backend([]) as backend_port, nginx(tmp_path, backend_port) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=0.3)
        connection.request("GET", "/slow")
        with pytest.raises(TimeoutError):
            connection.getresponse()
        connection.close()
        line = logged(tmp_path, "/slow")
    assert (line["status"], line["request_completion"]) == ("499", "")


def test_need_finds_what_is_installed() -> None:
    """A program that is there is found without installing anything."""
    assert need("sh", "dash") == shutil.which("sh")
