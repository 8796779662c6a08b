"""Plays the table: real callers, real nginx, the simulated service, all at once. Files are what stays of it.

In: a directory and the cells. Out, in that directory: `client/calls.jsonl`, `nginx/edge.json`, and the `Played` of
each cell. A caller leaves when its call has got as far as the table says, so nothing here is a race with the clock.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import certifi

from tests.lab.cells import Cell, Setting, Way
from tests.lab.edge import LOG, nginx
from tests.lab.played import Played, played_of
from tests.lab.processes import asleep
from tests.lab.service import Service, Work, serving
from tests.lab.shapes import tokens_an_event

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
CALLS_LOG = "client/calls.jsonl"
AT_ONCE = 24  # callers
STEP_SECONDS_MAX = 60.0  # whatever a cell waits for comes before that, or the lab says what did not
_SIGNALS: dict[Way, signal.Signals] = {
    "ctrl-c": signal.SIGINT,
    "sigterm": signal.SIGTERM,
    "sigkill": signal.SIGKILL,
    "cancelled": signal.SIGUSR1,
}


@dataclass
class Caller:
    """A caller's process, as it is heard of: its id, the tokens that it has read, its exit code."""

    pid: asyncio.Future[int]
    ended: asyncio.Future[int]
    tokens: int = 0
    news: asyncio.Condition = field(default_factory=asyncio.Condition)


class Callers:
    """The process that forks the callers, and what they say."""

    def __init__(self, process: asyncio.subprocess.Process, room: Path) -> None:
        self._process = process
        self._room = room
        self._callers: dict[str, Caller] = {}

    def start(self, cell: Cell, port: int) -> Caller:
        """A new caller, on its way to nginx."""
        loop = asyncio.get_running_loop()
        self._callers[cell.name] = caller = Caller(loop.create_future(), loop.create_future())
        order = {
            "cell": cell.name, "shape": cell.shape, "way": cell.way,
            "url": f"http://127.0.0.1:{port}/{cell.name}", "traceparent": traceparent_of(cell),
            "take": cell.events_seen, "stderr": str(self._room / "callers" / f"{cell.name}.txt"),
        }  # fmt: skip
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        return caller

    async def listen(self) -> None:
        """Take note of what the callers say, until the last has ended."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            caller = self._callers[told["cell"]]
            if "pid" in told:
                caller.pid.set_result(told["pid"])
            elif "ended" in told:
                caller.ended.set_result(told["ended"])
            else:
                async with caller.news:
                    caller.tokens = told["tokens"]
                    caller.news.notify_all()


def traceparent_of(cell: Cell) -> str:
    """Trace and span of a call, as W3C's header has them."""
    return f"00-{cell.number + 1:032x}-{cell.number + 1:016x}-01"


async def play(room: Path, cells: Sequence[Cell]) -> list[Played]:
    """All of the cells; their logs are complete when this returns."""
    for name in ("client", "callers"):
        (room / name).mkdir(parents=True, exist_ok=True)
    async with serving() as service:
        with nginx(room, service.port) as edge:
            service.edge_pid = edge.pid
            async with _calling(room) as callers:
                played = await _play_all(cells, service, edge.ports, callers)
            await wait_for_lines(room / LOG, [cell.name for cell in cells])
    return played


@asynccontextmanager
async def _calling(room: Path) -> AsyncIterator[Callers]:
    command = [*watched(room / CALLS_LOG, "script"), "-m", "tests.lab.callers"]
    pipe = asyncio.subprocess.PIPE
    async with process(*command, stdin=pipe, stdout=pipe, cwd=ROOT, env=environment(room)) as started:
        callers = Callers(started, room)
        listener = asyncio.ensure_future(callers.listen())
        yield callers
        assert started.stdin is not None
        started.stdin.close()
        await started.wait()
        await listener


@asynccontextmanager
async def process(*command: str, **options: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that does not outlive the block."""
    started = await asyncio.create_subprocess_exec(*command, **options)
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


def watched(log: Path, service: str) -> list[str]:
    """The command before a program that is to be watched.

    It can be interrupted even where a build machine runs the lab in the background, with SIGINT ignored.
    """
    return [
        "env",
        "--default-signal=INT",
        sys.executable,
        "-m",
        "orphaned_inference",
        "--log",
        str(log),
        "--service",
        service,
    ]


def environment(room: Path) -> dict[str, str]:
    """Of a program under watch: this one's, with the client as if it were installed.

    Every client reads all certificates of the world before its first call, which here is the most of its work. One is
    enough where nothing is encrypted.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ORPHANED_")}
    mark = "-----END CERTIFICATE-----\n"
    one = room / "certificate.pem"
    one.write_text(Path(certifi.where()).read_text(encoding="utf-8").partition(mark)[0] + mark, encoding="utf-8")
    source = str(ROOT / "client" / "src")
    return {**kept, "PYTHONPATH": source, "PYTHONUNBUFFERED": "1", "SSL_CERT_FILE": str(one)}


async def _play_all(
    cells: Iterable[Cell], service: Service, ports: Mapping[Setting, int], callers: Callers
) -> list[Played]:
    room_for = asyncio.Semaphore(AT_ONCE)

    async def one(cell: Cell) -> Played:
        async with room_for:
            try:
                return await _play(cell, service, ports[cell.setting], callers)
            except TimeoutError as error:
                raise RuntimeError(f"cell {cell.name}: {error}") from error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(cell)) for cell in cells]
    return [task.result() for task in tasks]


async def _play(cell: Cell, service: Service, port: int, callers: Callers) -> Played:
    """One cell from its start to its end."""
    work = service.expect(cell)
    caller = callers.start(cell, port)
    await _soon(work.arrived.wait(), "the request did not reach the backend")
    if cell.way != "stays":
        await _half_way(cell, work, caller)
        if cell.way in _SIGNALS:
            pid = await asyncio.shield(caller.pid)
            await _soon(asleep(pid), "the caller did not wait")
            os.kill(pid, _SIGNALS[cell.way])
        await _soon(asyncio.shield(caller.ended), "the caller did not leave")
    work.left.set()
    await _soon(work.done.wait(), "the backend did not end")
    code = await _soon(asyncio.shield(caller.ended), "the caller did not end")
    return played_of(work, caller.tokens, code)


async def _half_way(cell: Cell, work: Work, caller: Caller) -> None:
    """Until the call has got as far as its caller waits for it."""
    if cell.is_stream:
        await _soon(work.half_sent.wait(), "the backend did not send half of the answer")
    if cell.way == "closed":
        return
    tokens = cell.events_seen * tokens_an_event(cell)
    async with caller.news:
        await _soon(caller.news.wait_for(lambda: caller.tokens >= tokens), f"{tokens} tokens did not reach the caller")


async def _soon(awaited: Awaitable[T], otherwise: str) -> T:
    try:
        return await asyncio.wait_for(awaited, STEP_SECONDS_MAX)
    except TimeoutError:
        raise TimeoutError(otherwise) from None


async def wait_for_lines(log: Path, names: Sequence[str]) -> None:
    """Until nginx has written of every cell. It writes when its side of a call ends, which may be a moment later."""
    for _ in range(int(STEP_SECONDS_MAX / 0.1)):
        if not _missing(log, names):
            return
        await asyncio.sleep(0.1)
    raise RuntimeError(f"nginx wrote no line for {_missing(log, names)[:3]}, perhaps others")


def _missing(log: Path, names: Sequence[str]) -> list[str]:
    text = log.read_text(encoding="utf-8") if log.exists() else ""
    return [name for name in names if f"/{name}/" not in text]
