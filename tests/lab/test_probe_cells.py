"""`orphaned probe` in the lab: it gets every cell right, for a backend that stops and one that runs on, behind nginx.

A real nginx in both settings, the command as a user starts it. Probes of all endpoints are made once, side by side.
"""

import asyncio
import json
import os
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import expected
from tests.lab.cells import Cell, Setting, Shape
from tests.lab.edge import nginx
from tests.lab.probed import CONFIG, MODEL, Endpoint, edge_log, serving
from tests.lab.stage import ROOT, process
from tests.tools import need

pytestmark = pytest.mark.slow

CALLS = 3
SECRET = "Bearer s3cr3t-of-the-lab"  # noqa: S105 - nobody's
LEAVING = ("300ms", "first+10ms")
SHAPES: dict[str, Shape] = {"unary": "gemini", "stream": "gemini-stream"}
PLAIN, IGNORES = Setting(ignores=False, buffers=False), Setting(ignores=True, buffers=False)
KINDS = [(setting, stops) for setting in (PLAIN, IGNORES) for stops in (True, False)]
CELLS = [
    ("unary", "fin", "300ms"), ("unary", "rst", "300ms"),
    *(("stream", way, leave) for leave in LEAVING for way in ("fin", "rst")),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Probed:
    """An endpoint, and what its probe said."""

    endpoint: Endpoint
    code: int
    told: dict[str, Any]
    errors: str

    @property
    def policies(self) -> dict[str, dict[str, Any]]:
        """The measured policies by their ending."""
        text = (self.endpoint.room / "measured-policies.toml").read_text(encoding="utf-8")
        return {entry["on"]: entry for entry in tomllib.loads(text)["policy"]}


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Probed]:
    """Every endpoint, probed; by name."""
    need("nginx", "nginx")
    return asyncio.run(probe_all(tmp_path_factory.mktemp("probe")))


def endpoint(room: Path, setting: Setting, *, stops: bool) -> Endpoint:
    """One of the table's: those whose nginx ignores who leaves have a log that tells traces, the others request ids."""
    return Endpoint(room, setting, stops, "trace" if setting.ignores else "request_id")


async def probe_all(room: Path) -> dict[str, Probed]:
    """All probes, side by side, each one's calls one after the other."""
    endpoints = [
        *(endpoint(room / f"{setting.name}-{stops}", setting, stops=stops) for setting, stops in KINDS),
        Endpoint(room / "without_ids", PLAIN, stops=False, logs="nothing"),
    ]
    async with serving(endpoints) as service:
        with nginx(room, service.port) as edge:
            service.edge_pid = edge.pid
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(probe(one, edge_log(room), edge.ports[one.setting])) for one in endpoints]
    return {task.result().endpoint.name: task.result() for task in tasks}


async def probe(probed: Endpoint, log: Path, port: int) -> Probed:
    """The command, as a user types it."""
    probed.prepare(log)
    urls = probed.urls(port)
    command = [
        sys.executable, "-m", "collector", "probe", "--config", str(probed.room / CONFIG),
        "--unary", urls["unary"], "--stream", urls["stream"], "--body", str(probed.room / "body.json"),
        "--header", "Authorization: env:LAB_TOKEN", "--account", "acme-prod",
        *(part for leave in LEAVING for part in ("--leave", leave)),
        "--calls", str(CALLS), "--max-calls", "50", "--max-cost", "1.00", "--pause", "0ms", "--wait", "60s",
        "--output", str(probed.probe), "--format", "json",
    ]  # fmt: skip
    pipe = asyncio.subprocess.PIPE
    variables = {**os.environ, "LAB_TOKEN": SECRET}
    async with process(*command, cwd=ROOT, env=variables, stdout=pipe, stderr=pipe) as started:
        told, errors = await asyncio.wait_for(started.communicate(), 240)
    return Probed(probed, started.returncode or 0, json.loads(told or "{}"), errors.decode())


def runs_on(setting: Setting, mode: str, *, stops: bool) -> bool:
    """Whether the backend runs on: the lab's own table says so."""
    return expected.backend_status(Cell(0, setting, SHAPES[mode], "closed", stops)) == "ok"


@pytest.mark.parametrize(("setting", "stops"), KINDS)
@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_every_cell_is_right(
    setting: Setting, stops: bool, cell: tuple[str, str, str], probed: dict[str, Probed], tmp_path: Path
) -> None:
    """Left like that, the backend stops or runs on, and the probe says which of every call, by the exact join."""
    found = probed[endpoint(tmp_path, setting, stops=stops).name]
    assert found.code == 0, found.errors
    cells = {(one["mode"], told["way"], told["leave"]): told for one in found.told["modes"] for told in one["cells"]}
    told, on = cells[cell], runs_on(setting, cell[0], stops=stops)
    assert list(cells) == CELLS
    assert (told["ran_on"], told["stopped"]) == ((CALLS, 0) if on else (0, CALLS))
    assert (told["share"], told["runs_on"]) == (float(on), "yes" if on else "no")
    assert (told["share_low"] > 0.5) == on
    assert (told["share_high"] < 0.5) != on


@pytest.mark.parametrize(("setting", "stops"), KINDS)
@pytest.mark.parametrize("mode", ["unary", "stream"])
def test_it_becomes_a_policy(
    setting: Setting, stops: bool, mode: str, probed: dict[str, Probed], tmp_path: Path
) -> None:
    """Each mode's finding is a measured policy of that model, dated, and naming the probe."""
    found = probed[endpoint(tmp_path, setting, stops=stops).name]
    policy = found.policies[f"{mode}_dropped"]
    assert policy["runs_on"] == ("yes" if runs_on(setting, mode, stops=stops) else "no")
    assert (policy["certainty"], policy["provider"], policy["mode"]) == ("measured", "gcp.gemini", mode)
    assert found.told["probe"] in policy["source"]
    assert policy["from"].isoformat() == found.told["started_at"][:10]
    assert policy["model"] == "^" + MODEL.replace("-", r"\-").replace(".", r"\.") + "$"


def test_without_ids_it_is_by_time(probed: dict[str, Probed]) -> None:
    """Where the log has no id, the calls are joined by time; it is said, and is right all the same."""
    (found,) = (one for one in probed.values() if one.endpoint.logs == "nothing")
    assert found.code == 0, found.errors
    assert found.told["controls_found"] == 0
    for mode in found.told["modes"]:
        assert (mode["stopped"], mode["runs_on"]) == (0, "yes")


def test_it_sends_what_it_said(probed: dict[str, Probed]) -> None:
    """As many requests reach the backend as were counted, each with the secret header; controls one a mode."""
    for found in probed.values():
        works = found.endpoint.works
        assert len(works) == found.told["calls"] == len(CELLS) * CALLS + 2
        assert all(work.headers["authorization"] == SECRET for work in works)


def test_no_secret_is_kept_or_told(probed: dict[str, Probed]) -> None:
    """The header's value stands in no file of the probe, and in nothing that it printed."""
    for found in probed.values():
        assert "s3cr3t" not in json.dumps(found.told) + found.errors
        for path in found.endpoint.room.rglob("*"):
            assert path.is_dir() or b"s3cr3t" not in path.read_bytes(), path
