"""docs/nginx.md, tried as written: its nginx settings in a real nginx, its collector config in the real collector."""

import asyncio
import csv
import json
import re
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.lab import books, collecting
from tests.lab.cells import Cell, all_cells
from tests.lab.edge import SHIPPED, free_ports, running
from tests.lab.played import Played, played_of
from tests.lab.service import serving
from tests.lab.stage import wait_for_lines
from tests.tools import need

PAGE = Path(__file__).parents[2] / "docs" / "nginx.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LOCATION = re.compile(r"^#     (proxy_.*;)", re.MULTILINE)
LEFT_AFTER_SECONDS = 0.5


def blocks() -> dict[str, str]:
    """The code of the page by its language."""
    return dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))


def moved(text: str, *moves: tuple[str, object]) -> str:
    """The text with its places moved to where a test may write; each of them must be named in it."""
    for old, new in moves:
        assert old in text, old
        text = text.replace(old, str(new))
    return text


def nginx_conf(room: Path, port: int, backend_port: int) -> Path:
    """A whole nginx.conf around the page's block."""
    server = moved(
        blocks()["nginx"],
        ("/etc/nginx/orphaned.conf", SHIPPED),
        ("127.0.0.1:8080", f"127.0.0.1:{port}"),
        ("127.0.0.1:8000", f"127.0.0.1:{backend_port}"),
        ("/var/log/nginx", room),
    )
    path = room / "nginx.conf"
    temporary = "".join(
        f"{name}_temp_path {room}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path.write_text(
        f"pid {room}/pid; error_log {room}/error.log; daemon off; master_process off;\n"
        f"events {{}}\nhttp {{ {temporary}\n{server}\n}}\n",
        encoding="utf-8",
    )
    return path


async def left_call(room: Path, cell: Cell) -> Played:
    """A call through the page's nginx by a client that waits for half a second."""
    (port,) = free_ports(1)
    async with serving() as service:
        work = service.expect(cell)
        with running(room, nginx_conf(room, port, service.port), [port]):
            url = f"http://127.0.0.1:{port}/{cell.name}/v1beta/models/gemini-3.5-flash:generateContent"
            async with httpx.AsyncClient(timeout=LEFT_AFTER_SECONDS) as client:
                with pytest.raises(httpx.ReadTimeout):
                    await client.post(url, json={"contents": []}, headers={"x-request-id": "mine"})
            work.left.set()
            await work.done.wait()
            await wait_for_lines(room / "orphaned.json", [cell.name])
    return played_of(work, 0, 0)


def test_as_written(tmp_path: Path) -> None:
    """Whoever follows the page finds the call that was left, and its completion by the id that nginx passed on."""
    need("nginx", "nginx")
    cell = next(cell for cell in all_cells() if cell.name.endswith("buffer_off-gemini-timeout-runs_on"))
    played = asyncio.run(left_call(tmp_path, cell))
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "a.jsonl").write_text(json.dumps(books.entry(played)) + "\n", encoding="utf-8")
    config = moved(blocks()["yaml"], ("/var/log/nginx", tmp_path), ("/var/log/backend", tmp_path / "backend"))
    (tmp_path / "orphaned.yaml").write_text(config, encoding="utf-8")
    commands = [line.removeprefix("orphaned ").split() for line in blocks()["sh"].splitlines()]
    said = [collecting.orphaned(tmp_path, *command) for command in commands]
    (row,) = csv.DictReader(said[-1].splitlines())
    told = [row[name] for name in ("observer", "reason", "verdict", "evidence", "completion_id", "service")]
    assert told == ["edge", "disconnect", "orphaned", "exact", f"i-{played.completion_id}", "web"]


def test_nginx_accepts_the_page(tmp_path: Path) -> None:
    """`nginx -t` has nothing against the page's settings."""
    (port,) = free_ports(1)
    command = [need("nginx", "nginx"), "-t", "-p", str(tmp_path), "-c", str(nginx_conf(tmp_path, port, 1))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


def test_page_and_shipped_file_agree() -> None:
    """The page's location has every setting that the shipped file's comment recommends."""
    page = blocks()["nginx"]
    recommended = LOCATION.findall(SHIPPED.read_text(encoding="utf-8"))
    assert recommended
    for setting in recommended:
        assert setting in page
