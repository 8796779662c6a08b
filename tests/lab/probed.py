"""`orphaned probe` in the lab: whom it calls, and what it is run with. A real nginx; the backend is simulated.

In: how nginx is set and whether the backend stops. The service makes a `Work` of every request, looks into the probe's
own log to know when its caller has left, and logs each completion when it is done, as a provider does.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from tests.lab import books
from tests.lab.cells import Cell, Setting, Shape
from tests.lab.edge import LOG
from tests.lab.played import played_of
from tests.lab.service import Line, Work, request_of, work_on
from tests.lab.stage import STEP_SECONDS_MAX

Json = dict[str, Any]
Ids = Literal["request_id", "trace", "nothing"]  # by which the log tells of a call
MODEL = "gemini-3.5-flash"
GLANCE_SECONDS = 0.02
CONFIG = "orphaned.yaml"
BODY: Json = {
    "contents": [{"role": "user", "parts": [{"text": "a secret"}]}],
    "generationConfig": {"maxOutputTokens": 1000},
}  # fmt: skip


@dataclass
class Endpoint:
    """One endpoint that is probed: its directory, the nature of its backend, and every request that reached it."""

    room: Path
    setting: Setting
    stops: bool
    logs: Ids = "request_id"
    kept: str = "probe"
    works: list[Work] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Stands first in the paths of its calls."""
        backend = "stops" if self.stops else "runs_on"
        return f"{self.setting.name}-{backend}-{self.logs}"

    @property
    def probe(self) -> Path:
        """Where its probe is kept."""
        return self.room / self.kept

    def prepare(self, edge_log: Path) -> None:
        """The config and the body, as a user would write them."""
        self.room.mkdir()
        whole = books.config()
        kept = [source for source in whole["sources"] if source["name"] == "log-gcp.gemini"]
        if self.logs != "nothing":
            kept.append({"name": "edge", "kind": "nginx", "path": str(edge_log)})
        told = {"ledger": whole["ledger"], "sources": kept, "prices": whole["prices"]}
        (self.room / CONFIG).write_text(yaml.safe_dump(told), encoding="utf-8")
        (self.room / "body.json").write_text(json.dumps(BODY), encoding="utf-8")
        (self.room / "backend").mkdir()

    def urls(self, port: int) -> dict[str, str]:
        """Mode -> where to call."""
        model = f"http://127.0.0.1:{port}/{self.name}/v1beta/models/{MODEL}"
        return {"unary": f"{model}:generateContent", "stream": f"{model}:streamGenerateContent?alt=sse"}

    def lines(self) -> list[Json]:
        """The probe's own log so far."""
        log = self.probe / "calls.jsonl"
        text = log.read_text(encoding="utf-8") if log.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    async def left(self, trace_id: str) -> None:
        """Until the caller of that trace has left, or will not: a control."""
        for _ in range(int(STEP_SECONDS_MAX / GLANCE_SECONDS)):
            lines = self.lines()
            start = next(line for line in lines if line.get("trace_id") == trace_id)
            ended = {line["call_id"] for line in lines if line["event"] == "ended"}
            if start["probe"]["leave"] is None or start["call_id"] in ended:
                return
            await asyncio.sleep(GLANCE_SECONDS)
        raise TimeoutError(f"{trace_id} was not left")

    def log(self, work: Work) -> None:
        """The completion of that work, as the provider logs it."""
        played = played_of(work, 0, 0)
        told = books.entry(played if self.logs == "trace" else replace(played, traceparent=None))
        if self.logs == "nothing":
            del told["jsonPayload"]["request_id"]
        with (self.room / "backend" / "gcp.gemini.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")


class ProbedService:
    """The backend behind all endpoints."""

    def __init__(self, endpoints: list[Endpoint]) -> None:
        self.port = 0
        self.edge_pid: int | None = None
        self._endpoints = {one.name: one for one in endpoints}
        self._waits: set[asyncio.Task[None]] = set()
        self._count = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection; it carries one request."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            path, headers = await request_of(reader)
            endpoint = self._endpoints[path.split("/")[1]]
            shape: Shape = "gemini-stream" if "stream" in path else "gemini"
            self._count += 1
            work = Work(Cell(self._count, endpoint.setting, shape, "closed", endpoint.stops))
            endpoint.works.append(work)
            wait = asyncio.create_task(self._release(endpoint, work, headers))
            self._waits.add(wait)
            await work_on(work, headers, Line(reader, writer, self.edge_pid))
            await wait
            endpoint.log(work)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _release(self, endpoint: Endpoint, work: Work, headers: Json) -> None:
        try:
            await endpoint.left(headers["traceparent"].split("-")[1])
        finally:
            work.left.set()


@asynccontextmanager
async def serving(endpoints: list[Endpoint]) -> AsyncIterator[ProbedService]:
    """The backend on a free port."""
    service = ProbedService(endpoints)
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.port = server.sockets[0].getsockname()[1]
    async with server:
        yield service


def edge_log(room: Path) -> Path:
    """Where the nginx of that room logs."""
    return room / LOG
