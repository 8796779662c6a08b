"""The inference service that the lab simulates: it works for its callers, and runs on or stops when they leave.

Requests come in through nginx; answers go out in the providers' shapes; of every call a `Work` stays: the
truth about what was computed. It goes by the lab's word, not by the clock: a call waits half done until the lab says
that its caller has left (`leave`), so that how fast the machine is decides nothing.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.lab.cells import EVENTS, EVENTS_BEFORE, Cell
from tests.lab.jobs import Jobs
from tests.lab.processes import asleep
from tests.lab.shapes import Usage, event, usage_of, whole

WORK_SECONDS = 0.3  # what is left to do when the caller has left
NOTICE_SECONDS = 2.0  # how long a backend that stops looks whether its caller is there, before it ends
GLANCE_SECONDS = 0.3  # and how long when the caller may just have left
STEP_SECONDS = WORK_SECONDS / EVENTS


@dataclass
class Work:
    """One call at the backend. Instants in microseconds since 1970."""

    cell: Cell
    headers: Mapping[str, str] = field(default_factory=dict)
    received_us: int = 0
    first_byte_us: int | None = None
    finished_us: int = 0
    status: str = "ok"
    events_made: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    half_sent: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def completion_id(self) -> str:
        """The backend's own name for it."""
        return f"cmpl-{self.cell.number:04d}"

    @property
    def usage(self) -> Usage:
        """What it used."""
        return usage_of(self.cell, self.events_made)


class Service:
    """Listens on a port of loopback; knows its calls by a name at the beginning of their path: the cell's, mostly."""

    def __init__(self) -> None:
        self.port = 0
        self.edge_pid: int | None = None  # of the nginx in front, where its pace matters
        self.works: dict[str, Work] = {}
        self.jobs = Jobs()

    def expect(self, cell: Cell, name: str | None = None) -> Work:
        """The work that this cell's call will be, known by its own name or another."""
        self.works[name or cell.name] = work = Work(cell)
        return work

    def work_at(self, path: str) -> Work | None:
        """The work that a request for this path is for; None where nobody expects it."""
        return self.works.get(path.lstrip("/").partition("/")[0])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection; it carries one request."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            path, headers = await request_of(reader)
            told = await self.jobs.answer(path.partition("?")[0])
            work = self.work_at(path)
            if told is not None:
                writer.write(_whole(json.dumps(told).encode()))
                await writer.drain()
            elif work is not None:
                await work_on(work, headers, Line(reader, writer, self.edge_pid))
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def serving() -> AsyncIterator[Service]:
    """A service on a free port."""
    service = Service()
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.port = server.sockets[0].getsockname()[1]
    async with server:
        yield service


class Line:
    """The connection to whoever asks; it may be cut, and then what is sent goes nowhere."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, edge_pid: int | None) -> None:
        self._writer = writer
        self._edge_pid = edge_pid
        self._cut = asyncio.ensure_future(_end_of(reader))

    @property
    def is_cut(self) -> bool:
        """Whether the other side has gone."""
        return self._cut.done()

    async def cut_within(self, seconds: float) -> bool:
        """Whether it goes, waiting so long for it."""
        await asyncio.wait([self._cut], timeout=seconds)
        return self.is_cut

    async def taken_note_of(self) -> None:
        """Until nginx has dealt with what has happened.

        Where it ignores who leaves, its second write fails; so two events must not become one write.
        """
        if self._edge_pid is not None:
            await asleep(self._edge_pid)

    async def send(self, data: bytes) -> None:
        """Bytes, for whoever is still there."""
        if self.is_cut:
            return
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    async def chunk(self, data: bytes) -> None:
        """One chunk of a streamed answer."""
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self) -> None:
        """Nobody asks any more whether it has been cut."""
        self._cut.cancel()


async def _end_of(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        await reader.read()


async def request_of(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """Path and headers (names in small letters) of a request that has come in whole."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    await reader.readexactly(int(headers.get("content-length") or 0))
    return head[0].split(" ")[1], headers


async def work_on(work: Work, headers: Mapping[str, str], line: Line) -> None:
    """Work for that caller to the end, or to where it stops."""
    work.headers, work.received_us = headers, now_us()
    work.arrived.set()
    if work.cell.is_stream:
        await _stream(work, line)
    else:
        await _answer(work, line)
    work.finished_us = now_us()
    line.end()
    work.done.set()


async def _answer(work: Work, line: Line) -> None:
    """The whole answer at its end. A third of the work was done when the caller left."""
    await work.left.wait()
    await line.taken_note_of()
    if work.cell.stops and await line.cut_within(NOTICE_SECONDS):
        work.status, work.events_made = "cancelled", EVENTS // 3
        await asyncio.sleep(STEP_SECONDS)
        return
    await asyncio.sleep(WORK_SECONDS)
    work.events_made = EVENTS
    await line.send(_whole(whole(work.cell, work.completion_id)))


def _whole(body: bytes) -> bytes:
    """A response with that body. That its connection is closed behind it is not said, as by servers that go away."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _stream(work: Work, line: Line) -> None:
    """Event after event. One that notices its caller gone has the event in hand half made, and made is made."""
    await line.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    )
    for number in range(1, EVENTS + 1):
        await asyncio.sleep(STEP_SECONDS)
        work.events_made = number
        if work.cell.stops and await _noticed(work, line, number):
            work.status = "cancelled"
            return
        await line.chunk(event(work.cell, work.completion_id, number))
        work.first_byte_us = work.first_byte_us or now_us()
        if number == EVENTS_BEFORE:
            work.half_sent.set()
            await work.left.wait()
        await line.taken_note_of()
    await line.send(b"0\r\n\r\n")


async def _noticed(work: Work, line: Line, number: int) -> bool:
    """Whether the caller is seen to have gone; before its last event a backend takes its time to look."""
    if work.left.is_set() and number in {EVENTS_BEFORE + 1, EVENTS}:
        return await line.cut_within(NOTICE_SECONDS if number == EVENTS else GLANCE_SECONDS)
    return line.is_cut


def now_us() -> int:
    """The clock of this machine, which nginx and the callers share."""
    return time.time_ns() // 1000
