"""The real nginx, one server a setting, with the log format and the location settings that ship in deploy/nginx.

In: a directory and the backend's port. Out: a running nginx; its log is `nginx/edge.json` in that directory.
"""

import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.lab.cells import SETTINGS, TIMEOUT_SECONDS, Setting
from tests.tools import need

SHIPPED = Path(__file__).parents[2] / "deploy" / "nginx" / "orphaned.conf"
LOG = "nginx/edge.json"
_LOCATION = re.compile(r"^#     (.*;)", re.MULTILINE)
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Edge(NamedTuple):
    """A running nginx: its one process, and the port of each setting."""

    pid: int
    ports: dict[Setting, int]


def location(room: Path, setting: Setting) -> str:
    """What the shipped file has one write into a location, but for the settings that the lab turns."""
    shipped = "\n".join(_LOCATION.findall(SHIPPED.read_text(encoding="utf-8")))
    logged = shipped.replace("/var/log/nginx/orphaned.json", str(room / LOG))
    turned = logged.replace("proxy_buffering off", f"proxy_buffering {_on_off(setting.buffers)}")
    if setting.gives_up:
        turned = turned.replace("proxy_read_timeout 600s", f"proxy_read_timeout {TIMEOUT_SECONDS}s")
    return f"{turned}\nproxy_ignore_client_abort {_on_off(setting.ignores)};"


def config(room: Path, ports: Sequence[int], backend_port: int) -> str:
    """A whole nginx.conf: a server a setting."""
    servers = "\n".join(
        f"server {{ listen 127.0.0.1:{port}; client_max_body_size 8m; location / {{\n{location(room, setting)}\n"
        f"proxy_pass http://127.0.0.1:{backend_port}; }} }}"
        for port, setting in zip(ports, SETTINGS, strict=True)
    )
    temporary = "\n".join(f"{name}_temp_path {room}/{name};" for name in _TEMPORARY)
    return (
        f"pid {room}/pid; error_log {room}/error.log; daemon off; master_process off;\n"
        f"events {{ worker_connections 1024; }}\nhttp {{ {temporary}\n include {SHIPPED};\n{servers}\n}}\n"
    )


@contextmanager
def nginx(room: Path, backend_port: int) -> Iterator[Edge]:
    """A running nginx with all settings."""
    ports = free_ports(len(SETTINGS))
    (room / LOG).parent.mkdir(parents=True, exist_ok=True)
    whole = room / "nginx.conf"
    whole.write_text(config(room, ports, backend_port), encoding="utf-8")
    with running(room, whole, ports) as pid:
        yield Edge(pid, dict(zip(SETTINGS, ports, strict=True)))


@contextmanager
def running(room: Path, conf: Path, ports: Sequence[int]) -> Iterator[int]:
    """The process of an nginx by that config, listening on those ports."""
    program = need("nginx", "nginx")
    room.chmod(0o755)
    with subprocess.Popen([program, "-p", str(room), "-c", str(conf)], stderr=subprocess.DEVNULL) as started:
        try:
            _wait_for(ports, room)
            yield started.pid
        finally:
            started.terminate()
            started.wait(10)


def _on_off(value: object) -> str:
    return "on" if value else "off"


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _wait_for(ports: Sequence[int], room: Path) -> None:
    """Until all of them listen."""
    until = time.monotonic() + 10
    while not all(_listens(port) for port in ports):
        if time.monotonic() > until:
            raise RuntimeError(f"nginx did not start: {(room / 'error.log').read_text(encoding='utf-8')}")
        time.sleep(0.02)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
