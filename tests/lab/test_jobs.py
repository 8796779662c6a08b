"""Batches and long-running operations: nobody's leaving stops them, an explicit cancel does; the bill shows both.

Real google-genai, real nginx, real signals. A job's work is billed by the part; a third is done when its waiter leaves.
"""

import asyncio
import os
import signal
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.lab import books, collecting
from tests.lab.books import HOUR_US
from tests.lab.cells import Setting
from tests.lab.edge import nginx
from tests.lab.jobs import PARTS, Job, Kind, Manner
from tests.lab.outcome import Line, lines
from tests.lab.processes import asleep
from tests.lab.service import Service, now_us, serving
from tests.lab.stage import ROOT, STEP_SECONDS_MAX, environment, process, watched
from tests.tools import need

# On a machine under heavy load a case once waited for more than a minute; why is not known yet.
_WANTED = "ORPHANED_LAB_JOBS"
_TOLD = f"JOBS OF THE LAB WERE NOT TRIED: one case once timed out under load, cause unknown; set ${_WANTED}=1 to try"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not os.environ.get(_WANTED), reason=_TOLD)]

AT_ONCE = 3
PART_COST = Decimal("0.25")
Fate = Literal["cancelled", "ran on"]


@dataclass(frozen=True, slots=True)
class Case:
    """A script that waits for a job, how it is left, and what must come of it.

    `told`: what the client says of its cancel.
    """

    kind: Kind
    guarded: bool
    how: signal.Signals
    manner: Manner
    fate: Fate
    told: str | None

    @property
    def name(self) -> str:
        """Stands in the path."""
        guard = "guarded" if self.guarded else "bare"
        return f"{self.kind}-{guard}-{self.how.name.lower()}-{self.manner}"


CASES = [
    *(
        case
        for kind in ("batch", "operation")
        for case in (
            Case(kind, True, signal.SIGINT, "heeds", "cancelled", "confirmed"),
            Case(kind, True, signal.SIGTERM, "heeds", "cancelled", "confirmed"),
            Case(kind, True, signal.SIGKILL, "heeds", "ran on", None),
            Case(kind, False, signal.SIGINT, "heeds", "ran on", None),
        )
    ),
    Case("batch", True, signal.SIGINT, "is_done", "ran on", "too_late"),
    Case("batch", True, signal.SIGINT, "goes_on", "ran on", "too_late"),
]
each = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@dataclass(frozen=True, slots=True)
class Waited:
    """How a case went: the job, the script's exit code, and what the client logged."""

    job: Job
    code: int
    log: list[Line]

    def events(self) -> list[str]:
        """The lines of the wait."""
        return [line["event"] for line in self.log if line["event"] not in {"started", "ended"}]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all cases are played."""
    need("nginx", "nginx")
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(scope="module")
def waited(room: Path) -> dict[str, Waited]:
    """Every case, played; by name."""
    return asyncio.run(play(room))


@pytest.fixture(scope="module")
def collected(room: Path, waited: dict[str, Waited]) -> Path:
    """The room after the bill has come and the collector has read it all."""
    at_us = now_us()
    parts = parts_of(waited)
    row = books.charged("gcp.gemini", "Veo 3 and Batch, by the part", at_us // HOUR_US, parts, str(parts * PART_COST))
    books.write_lines(room / books.BILL, [row])
    books.write_config(room)
    collecting.collect(room, at_us, "verdicts", "reconciliation")
    return room


def parts_of(waited: dict[str, Waited]) -> int:
    """The parts of all work that was done."""
    return sum(one.job.parts_done for one in waited.values())


async def play(room: Path) -> dict[str, Waited]:
    """All cases, a few at once."""
    some = asyncio.Semaphore(AT_ONCE)
    async with serving() as service:
        with nginx(room, service.port) as edge:
            port = edge.ports[Setting(ignores=True, buffers=True)]

            async def one(case: Case) -> Waited:
                async with some:
                    return await _wait(room, case, service, port)

            async with asyncio.TaskGroup() as group:
                tasks = {case.name: group.create_task(one(case)) for case in CASES}
    return {name: task.result() for name, task in tasks.items()}


async def _wait(room: Path, case: Case, service: Service, port: int) -> Waited:
    job = service.jobs.expect(case.name, case.kind, case.manner)
    log = room / "client" / f"{case.name}.jsonl"
    guard = "guarded" if case.guarded else "bare"
    command = [
        *watched(log, "waits"),
        "-m",
        "tests.lab.waits",
        case.kind,
        guard,
        f"http://127.0.0.1:{port}/{case.name}",
    ]
    errors = os.open(room / f"{case.name}.txt", os.O_WRONLY | os.O_CREAT)
    try:
        async with process(*command, cwd=ROOT, env=environment(room), stderr=errors) as started:
            await asyncio.wait_for(job.polled.wait(), STEP_SECONDS_MAX)
            await asyncio.wait_for(asleep(started.pid), STEP_SECONDS_MAX)
            started.send_signal(case.how)
            code = await asyncio.wait_for(started.wait(), STEP_SECONDS_MAX)
    finally:
        os.close(errors)
    job.run_on()
    return Waited(job, code, lines(log) if log.exists() else [])


@each
def test_what_became_of_the_job(case: Case, waited: dict[str, Waited]) -> None:
    """Only an explicit cancel that is heeded ends a job early; who just leaves, by whatever way, pays for all of it."""
    found = waited[case.name]
    stopped = case.fate == "cancelled"
    assert (found.job.state, found.job.parts_done) == (("CANCELLED", 1) if stopped else ("SUCCEEDED", PARTS))
    assert found.job.cancels == (0 if case.told is None else 1)
    assert found.code == -case.how


@each
def test_what_the_client_logged(case: Case, waited: dict[str, Waited]) -> None:
    """The wait and the cancel are on record, each with how it ended; a killed process leaves the start of its wait."""
    found = waited[case.name]
    if not case.guarded:
        assert found.events() == []
    elif case.told is None:
        assert found.events() == ["job_wait_started"]
    else:
        assert found.events() == ["job_wait_started", "job_wait_ended", "cancel_requested", "cancel_ended"]
        assert found.log[-1]["cancel_outcome"] == case.told


def test_the_bill_has_it(collected: Path, waited: dict[str, Waited]) -> None:
    """What jobs cost is on the bill, and unattributed: no log of completions shows them."""
    rows = collecting.rows(collected, "reconciliation")
    cost = parts_of(waited) * PART_COST
    found = [(Decimal(row["billed_cost"]), Decimal(row["unattributed_cost"])) for row in rows]
    assert found == [(cost, cost)]


@pytest.mark.xfail(
    strict=True, raises=AssertionError, reason="issue 4, item 5: the collector does not read operations and jobs yet"
)
def test_jobs_have_verdicts(collected: Path) -> None:
    """A job whose waiter left is orphaned, and one that was cancelled for it is cut short."""
    found: set[Any] = {row["verdict"] for row in collecting.rows(collected, "verdicts")}
    assert found == {"orphaned", "cut_short"}
