"""Jobs at the simulated provider: batches and long-running operations, as the Gemini API and Vertex AI have them.

A request comes in by its path, what the provider answers goes out, and what it logs of the job stays. A job runs until
somebody cancels it or the lab says that its time is up; nobody's leaving stops it. Shapes: ai.google.dev/api/batch-api,
google.longrunning.
"""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Json = dict[str, Any]
Kind = Literal["batch", "operation"]
Manner = Literal["heeds", "is_done", "goes_on"]

GOING_SECONDS = 5.0  # for a waiter to take note of its signal, before a look is answered all the same
LOOKS = 2  # that are answered; the next waits for its answer until its waiter has left
PARTS = 3  # of the work; one is done when its waiter leaves
INPUT_TOKENS, OUTPUT_TOKENS = 7_000, 900  # of a batch, a part
_FILING = (":batchGenerateContent", ":predictLongRunning")
_PUBLISHED = "projects/acme-prod/locations/us-central1/publishers/google/models"
BATCH_MODEL, VIDEO_MODEL = "gemini-3.5-flash", "veo-3.1-generate-preview"


@dataclass
class Job:
    """One job. `manner`: what it does when it is cancelled: ends, has ended already, or completes after all.

    Instants in microseconds since 1970, by the provider's clock.
    """

    kind: Kind
    manner: Manner
    state: str = "RUNNING"
    parts_done: int = 1
    filed_us: int = 0
    ended_us: int = 0
    looked_us: list[int] = field(default_factory=list)
    cancelled_us: list[int] = field(default_factory=list)
    filed: asyncio.Event = field(default_factory=asyncio.Event)
    waited_for: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def cancels(self) -> int:
        """How often its end was asked for."""
        return len(self.cancelled_us)

    def run_on(self, at_us: int | None = None) -> None:
        """Its time is up: what was not cancelled is done."""
        if self.state == "RUNNING":
            self._end("SUCCEEDED", PARTS, at_us)

    def leave(self) -> None:
        """Its waiter is on its way out: no look is held up any more."""
        self.left.set()

    async def left_by(self, waiter: asyncio.subprocess.Process) -> int:
        """The exit code of a waiter that was told to go. No answer meets it before it goes, or cancels."""
        ended = asyncio.ensure_future(waiter.wait())
        going = asyncio.ensure_future(self.left.wait())
        await asyncio.wait({ended, going}, timeout=GOING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        going.cancel()
        self.leave()
        return await ended

    def cancel(self) -> None:
        """Somebody asks for its end. The answer says nothing; what comes of it the next look shows."""
        self.cancelled_us.append(_now_us())
        self.leave()
        if self.manner == "is_done":
            self.run_on(self.looked_us[-1] + 1)  # it ended behind the last look that was answered
        else:
            self.state = "CANCELLING"

    async def look(self) -> str:
        """Its state, as whoever asks is told: a cancel shows one look later.

        Once its waiter is known to wait, a look is held up: a Ctrl-C then meets a process that sleeps in a read. One
        that meets the taking in of an answer may be swallowed there, and the script would poll on for ever.
        """
        if len(self.looked_us) >= LOOKS and not self.left.is_set():
            self.waited_for.set()
            await self.left.wait()
            return "RUNNING"
        self.looked_us.append(_now_us())
        if self.state != "CANCELLING":
            return self.state
        heeds = self.manner == "heeds"
        self._end("CANCELLED" if heeds else "SUCCEEDED", self.parts_done if heeds else PARTS)
        return "RUNNING"

    def _end(self, state: str, parts_done: int, at_us: int | None = None) -> None:
        self.state, self.parts_done, self.ended_us = state, parts_done, at_us or _now_us()


class Jobs:
    """All jobs, by the name at the beginning of their paths."""

    def __init__(self) -> None:
        self.known: dict[str, Job] = {}

    def expect(self, name: str, kind: Kind, manner: Manner) -> Job:
        """The job that will be filed under this path."""
        self.known[name] = job = Job(kind, manner)
        return job

    async def answer(self, path: str) -> Json | None:
        """The answer to a request about a job; None: it is about none. What is no filing and no cancel is a look."""
        name, _, rest = path.lstrip("/").partition("/")
        job = self.known.get(name)
        if job is None:
            return None
        if rest.endswith(":cancel"):
            job.cancel()
            return {}
        if rest.endswith(_FILING):
            job.filed_us = _now_us()
            job.filed.set()
            told = "RUNNING"
        else:
            told = await job.look()
        return _batch(name, told, job) if job.kind == "batch" else _operation(name, told)


def _now_us() -> int:
    return time.time_ns() // 1000


def _batch(name: str, state: str, job: Job) -> Json:
    told: Json = {"name": f"batches/{name}", "model": f"models/{BATCH_MODEL}", "state": f"BATCH_STATE_{state}"}
    told["createTime"] = _instant(job.filed_us)
    if state != "RUNNING":
        told |= {"endTime": _instant(job.ended_us), "output": {"inlinedResponses": {"inlinedResponses": _answers(job)}}}
    return {"name": told["name"], "metadata": {"@type": "type.googleapis.com/GenerateContentBatch", **told}}


def _answers(job: Job) -> list[Json]:
    """Of each part its answer with its usage, or that it was not done."""
    usage = {"promptTokenCount": INPUT_TOKENS, "candidatesTokenCount": OUTPUT_TOKENS}
    done = {"response": {"candidates": [], "usageMetadata": usage}}
    left = {"error": {"code": 1, "message": "The batch was cancelled."}}
    return [done] * job.parts_done + [left] * (PARTS - job.parts_done)


def _instant(at_us: int) -> str:
    second, micro = divmod(at_us, 1_000_000)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{micro:06d}Z"


def operation_id(name: str) -> str:
    """An operation's name, as the caller is told it."""
    return f"{_PUBLISHED}/{VIDEO_MODEL}/operations/{name}"


def _operation(name: str, state: str) -> Json:
    told: Json = {"name": operation_id(name)}
    if state == "SUCCEEDED":
        return {**told, "done": True, "response": {"generateVideoResponse": {"generatedSamples": []}}}
    if state == "CANCELLED":
        return {**told, "done": True, "error": {"code": 1, "message": "The operation was cancelled."}}
    return told
