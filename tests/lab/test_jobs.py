"""Batches and long-running operations: nobody's leaving stops them, an explicit cancel does; the bill shows both.

Real google-genai, real nginx, real signals. A job's work is billed by the part; a third is done when its waiter leaves.
"""

import asyncio
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal, get_args

import pytest

from tests.lab import books, collecting, job_books
from tests.lab.cells import Setting
from tests.lab.collecting import Row
from tests.lab.edge import nginx
from tests.lab.jobs import PARTS, Job, Kind, Manner
from tests.lab.outcome import Line, lines
from tests.lab.processes import asleep
from tests.lab.service import Service, now_us, serving
from tests.lab.stage import ROOT, STEP_SECONDS_MAX, environment, process, watched
from tests.tools import need

pytestmark = pytest.mark.slow

# A script loads google-genai before its first poll: a second of work that took 13 s on a machine shared by nine
# programs, times those that start at once. That is no step of the story, and has a bound of its own.
START_SECONDS_MAX = 300.0
AT_ONCE = 3
MANNERS: tuple[Manner, ...] = get_args(Manner)
Fate = Literal["cancelled", "ran on"]


@dataclass(frozen=True, slots=True)
class Case:
    """A script that waits for a job, how it is left, and what must come of it.

    `told`: what the client says of its cancel; `result`: what the collector makes of it with the provider's log.
    """

    kind: Kind
    guarded: bool
    how: signal.Signals
    manner: Manner
    fate: Fate
    told: str | None
    result: str | None

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
            Case(kind, True, signal.SIGINT, "heeds", "cancelled", "confirmed", "honoured"),
            Case(kind, True, signal.SIGTERM, "heeds", "cancelled", "confirmed", "honoured"),
            Case(kind, True, signal.SIGKILL, "heeds", "ran on", None, None),
            Case(kind, False, signal.SIGINT, "heeds", "ran on", None, None),
        )
    ),
    Case("batch", True, signal.SIGINT, "is_done", "ran on", "too_late", "too_late"),
    Case("batch", True, signal.SIGINT, "goes_on", "ran on", "too_late", "completed_after_all"),
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
    job_books.write(room, {name: one.job for name, one in waited.items()}, at_us)
    collecting.collect(room, at_us, "verdicts", "reconciliation", "jobs", "problems")
    return room


@pytest.fixture(scope="module")
def known(collected: Path) -> dict[str, Row]:
    """What `export jobs` says, by the name of the case."""
    return {row["job_id"].rpartition("/")[2]: row for row in collecting.rows(collected, "jobs")}


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
            await asyncio.wait_for(job.waited_for.wait(), START_SECONDS_MAX)
            await asyncio.wait_for(asleep(started.pid), STEP_SECONDS_MAX)
            started.send_signal(case.how)
            code = await asyncio.wait_for(job.left_by(started), STEP_SECONDS_MAX)
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
    """The books hold what the bill does: what the log of jobs shows is lost, and what it shows no usage of is open."""
    rows = collecting.rows(collected, "reconciliation")
    lost = [row for row in rows if row["model"]]
    batches = [one.job for one in waited.values() if one.job.kind == "batch"]
    assert sum(Decimal(row["billed_cost"]) for row in lost) == books_decimal(map(job_books.cost_nano, batches))
    assert all(Decimal(row["delivered_cost"]) == Decimal(row["unattributed_cost"]) == 0 for row in lost)
    assert [row["unattributed_cost"] for row in rows if not row["model"]] == [job_books.VIDEO_COST]
    assert collecting.rows(collected, "problems") == []


@each
def test_verdict_of_the_job(case: Case, collected: Path, known: dict[str, Row]) -> None:
    """A job whose waiter left is orphaned, whoever saw him wait; one that was cancelled for it is cut short."""
    verdicts = {row["completion_id"].rpartition("/")[2]: row for row in collecting.rows(collected, "verdicts")}
    row = verdicts[case.name]
    assert set(verdicts) == {one.name for one in CASES}
    assert row["verdict"] == ("cut_short" if case.fate == "cancelled" else "orphaned")
    assert (row["evidence"], row["observer"]) == ("exact", "app" if case.guarded else "jobs")
    left_unseen = case.how is signal.SIGKILL or not case.guarded
    assert row["reason"] == ("vanished" if left_unseen else "interrupt")
    assert known[case.name]["cancel_result"] == case.result


@each
def test_money_of_the_job(case: Case, waited: dict[str, Waited], known: dict[str, Row]) -> None:
    """All that was done is lost, to the nano-unit; what the cancel saved is an estimate; no usage: cost unknown."""
    job, row = waited[case.name].job, known[case.name]
    if case.kind == "operation":
        assert (row["cost"], row["orphaned_cost"], row["basis"]) == (None, None, None)
        return
    cost = books_decimal([job_books.cost_nano(job)])
    assert (Decimal(row["cost"]), Decimal(row["orphaned_cost"]), row["basis"]) == (cost, cost, "billed")
    saved = {"honoured": cost * (PARTS - 1), None: None}.get(case.result, Decimal(0))
    found = row["avoided_cost"]
    assert (None if found is None else Decimal(found)) == saved
    assert row["avoided_by"] == {"honoured": "requests", None: None}.get(case.result, "nothing")


def test_a_person_understands(collected: Path) -> None:
    """`explain` tells apart a cancel that came too late and one that the job outlived."""
    told = {manner: collecting.orphaned(collected, "explain", f"batch-guarded-sigint-{manner}") for manner in MANNERS}
    assert "It came too late: the job had ended already" in told["is_done"]
    assert "The job went on all the same and completed" in told["goes_on"]
    assert "The provider stopped the job" in told["heeds"]
    assert "an estimate (1 of 3 requests were done" in told["heeds"]


def books_decimal(nano: Iterable[int]) -> Decimal:
    """So many nano-units in whole units."""
    return Decimal(books.decimal(sum(nano)))
