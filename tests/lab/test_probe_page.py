"""docs/probe.md, tried as written: its config, its body and its commands against the lab's endpoint."""

import asyncio
import json
import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.lab.cells import Setting
from tests.lab.edge import nginx
from tests.lab.probed import CONFIG, Endpoint, edge_log, serving
from tests.lab.stage import process
from tests.lab.test_nginx_page import moved
from tests.tools import need

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "probe.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PRICES = """
prices:
  - {model: gemini-3.5-flash, from: 2026-01-01, currency: USD, input_per_mtok: "0.3", output_per_mtok: "2.5"}
"""


def blocks(language: str) -> list[str]:
    """The page's blocks in that language."""
    return [text for found, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")) if found == language]


async def typed(room: Path) -> list[str]:
    """What the page's commands print, in their order; the calls follow one another without a pause."""
    endpoint = Endpoint(
        room / "user", Setting(ignores=True, buffers=False), stops=True, logs="trace", kept="probes/first"
    )
    async with serving([endpoint]) as service:
        with nginx(room, service.port) as edge:
            service.edge_pid = edge.pid
            endpoint.prepare(edge_log(room))
            (config,) = blocks("yaml")
            places = ("/var/log/nginx/orphaned.json*", edge_log(room)), ("/var/log/backend", endpoint.room / "backend")
            (endpoint.room / CONFIG).write_text(moved(config, *places) + PRICES, encoding="utf-8")
            (endpoint.room / "body.json").write_text(blocks("json")[0], encoding="utf-8")
            host = f"http://127.0.0.1:{edge.ports[endpoint.setting]}/{endpoint.name}/"
            commands = "".join(blocks("sh")).replace("https://gateway.example/", host)
            at_once = commands.replace("orphaned probe --output", "orphaned probe --pause 0ms --output")
            return [await _said(endpoint.room, line) for line in at_once.splitlines()]


async def _said(room: Path, line: str) -> str:
    """One command, typed in the directory of the config; it ends with 0."""
    words = shlex.split(line)
    assert words[0] == "orphaned"
    pipe = asyncio.subprocess.PIPE
    source = str(PAGE.parents[1])
    variables = {**os.environ, "TOKEN": "nothing", "PYTHONPATH": source}
    command = [sys.executable, "-m", "collector", *words[1:]]
    async with process(*command, cwd=room, env=variables, stdout=pipe, stderr=pipe) as started:
        out, errors = await asyncio.wait_for(started.communicate(), 240)
    assert started.returncode == 0, (line, errors.decode())
    return out.decode()


def test_as_written(tmp_path: Path) -> None:
    """Whoever follows the page sees the plan, then the findings, then the policies that were measured."""
    need("nginx", "nginx")
    plan, first, again, _, policies = asyncio.run(typed(tmp_path))
    assert "20  calls in all, at most" in plan
    for said in (first, again):
        assert "unary: runs on" in said
        assert "stream: stops" in said
    assert policies.count("measured") == 2
    assert json.loads(blocks("json")[0])


def test_the_sample_is_of_this_program() -> None:
    """What the page shows has the lines that the program prints."""
    (sample,) = blocks("text")
    for line in ("share that ran on (Wilson, 90 %)", "unary: runs on", "stream: stops", "Controls: 2 of 2 answered"):
        assert line in sample
