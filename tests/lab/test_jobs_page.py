"""docs/jobs.md, tried as written: its scripts against the lab's provider, its config and commands in the collector."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from collector import config
from collector.config.fields import JobFields
from tests.lab import books, collecting, job_books
from tests.lab.books import BILL, CONFIG, HOUR_US
from tests.lab.jobs import Job
from tests.lab.processes import LOOK_SECONDS, asleep
from tests.lab.service import now_us, serving
from tests.lab.stage import STEP_SECONDS_MAX, environment, process, watched
from tests.lab.test_jobs import START_SECONDS_MAX

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "jobs.md"
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAME = "batches/123"


def blocks(language: str) -> list[tuple[str, str]]:
    """The code of the page in that language: file name (may be empty) and text."""
    return [(name, text) for found, name, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")) if found == language]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's files are, as it says."""
    room = tmp_path_factory.mktemp("page")
    for name, text in blocks("python"):
        (room / name).write_text(text, encoding="utf-8")
    return room


@pytest.fixture(scope="module")
def job(room: Path) -> Job:
    """The job that the page's script filed, waited for, and was interrupted in; the page's log of it stands too."""
    return asyncio.run(_play(room))


async def _play(room: Path) -> Job:
    async with serving() as service:
        job = service.jobs.expect("123", "batch", "heeds")
        url = f"http://127.0.0.1:{service.port}/123"
        env = {**environment(room), "GOOGLE_GEMINI_BASE_URL": url, "GEMINI_API_KEY": "k"}
        command = [*watched(room / "calls.jsonl", "nightly"), "nightly.py"]
        silent = subprocess.DEVNULL
        async with process(*command, cwd=room, env=env, stdout=silent, stderr=silent) as script:
            await asyncio.wait_for(job.filed.wait(), START_SECONDS_MAX)
            await _waiting(room)
            await asyncio.wait_for(asleep(script.pid), STEP_SECONDS_MAX)
            script.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(job.left_by(script), STEP_SECONDS_MAX) == -signal.SIGINT
        with (room / "jobs.jsonl").open("wb") as log:
            command = [sys.executable, "log_batches.py", NAME]
            async with process(*command, cwd=room, env=env, stdout=log) as script:
                assert await asyncio.wait_for(script.wait(), START_SECONDS_MAX) == 0
    return job


async def _waiting(room: Path) -> None:
    """Until the script has written down that it waits."""
    log = room / "calls.jsonl"
    for _ in range(int(STEP_SECONDS_MAX / LOOK_SECONDS)):
        if log.exists() and b"job_wait_started" in log.read_bytes():
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise TimeoutError("the script does not wait for its job")


def test_the_page_is_right(room: Path, job: Job) -> None:
    """The config loads, the commands run, and `explain` says what the page shows, but for figures and instants."""
    assert job.state == "CANCELLED"
    job_books.write(room, {"123": job}, now_us())  # for its bill
    _let_the_bill_go_on(room)
    (room / CONFIG).write_text(blocks("yaml")[0][1], encoding="utf-8")
    assert "the config is right" in collecting.orphaned(room, "check")
    collecting.collect(room, now_us(), "jobs")
    (row,) = collecting.rows(room, "jobs")
    assert (row["job_id"], row["verdict"], row["cancel_result"]) == (NAME, "cut_short", "honoured")
    assert (row["requests_total"], row["requests_done"], row["basis"]) == (3, 1, "billed")
    told = collecting.orphaned(room, "explain", NAME)
    shown = blocks("text")[0][1].splitlines()
    assert [_plain(line) for line in told.splitlines()[: len(shown)]] == [_plain(line) for line in shown]


def _let_the_bill_go_on(room: Path) -> None:
    """A later row: without a log of completions a bucket is settled once the bill has reached 48 hours past it."""
    later = books.charged("gcp.gemini", "Storage", now_us() // HOUR_US + 60, 1, "0.01")
    with (room / BILL).open("a", encoding="utf-8") as bill:
        bill.write(json.dumps(later) + "\n")


def _plain(line: str) -> str:
    """A line without its figures."""
    return re.sub(r"[0-9][0-9.:-]*", "0", line)


def test_every_field_is_listed() -> None:
    """The page names all fields that a log of jobs may have, and its second config is one as it stands."""
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in JobFields.model_fields if f"`{name}`" not in text] == []
    assert len(config.parse(blocks("yaml")[1][1], Path("orphaned.yaml")).sources) == 1
