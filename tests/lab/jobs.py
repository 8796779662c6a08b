"""Jobs at the simulated provider: batches and long-running operations, as the Gemini API and Vertex AI have them.

A request comes in by its path, what the provider answers goes out. A job runs until somebody cancels it or the
lab says that its time is up; nobody's leaving stops it. Shapes: ai.google.dev/api/batch-api, google.longrunning.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Kind = Literal["batch", "operation"]
Manner = Literal["heeds", "is_done", "goes_on"]

LOOKS = 2  # after which its waiter is known to be waiting
PARTS = 3  # of the work; one is done when its waiter leaves
_FILING = (":batchGenerateContent", ":predictLongRunning")
_PUBLISHED = "projects/acme-prod/locations/us-central1/publishers/google/models"
BATCH_MODEL, VIDEO_MODEL = "gemini-3.5-flash", "veo-3.1-generate-preview"


@dataclass
class Job:
    """One job. `manner`: what it does when it is cancelled: ends, has ended already, or completes after all."""

    kind: Kind
    manner: Manner
    state: str = "RUNNING"
    parts_done: int = 1
    cancels: int = 0
    looks: int = 0
    polled: asyncio.Event = field(default_factory=asyncio.Event)

    def run_on(self) -> None:
        """Its time is up: what was not cancelled is done."""
        if self.state == "RUNNING":
            self.state, self.parts_done = "SUCCEEDED", PARTS

    def cancel(self) -> None:
        """Somebody asks for its end. The answer says nothing; what comes of it the next look shows."""
        self.cancels += 1
        if self.manner == "is_done":
            self.run_on()
        else:
            self.state = "CANCELLING"

    def look(self) -> str:
        """Its state, as whoever asks is told: a cancel shows one look later."""
        self.looks += 1
        if self.looks == LOOKS:
            self.polled.set()
        if self.state != "CANCELLING":
            return self.state
        heeds = self.manner == "heeds"
        self.state, self.parts_done = ("CANCELLED", self.parts_done) if heeds else ("SUCCEEDED", PARTS)
        return "RUNNING"


class Jobs:
    """All jobs, by the name at the beginning of their paths."""

    def __init__(self) -> None:
        self.known: dict[str, Job] = {}

    def expect(self, name: str, kind: Kind, manner: Manner) -> Job:
        """The job that will be filed under this path."""
        self.known[name] = job = Job(kind, manner)
        return job

    def answer(self, path: str) -> Json | None:
        """The answer to a request about a job; None: it is about none. What is no filing and no cancel is a look."""
        name, _, rest = path.lstrip("/").partition("/")
        job = self.known.get(name)
        if job is None:
            return None
        if rest.endswith(":cancel"):
            job.cancel()
            return {}
        told = "RUNNING" if rest.endswith(_FILING) else job.look()
        return _batch(name, told) if job.kind == "batch" else _operation(name, told)


def _batch(name: str, state: str) -> Json:
    told = {"name": f"batches/{name}", "model": f"models/{BATCH_MODEL}", "state": f"BATCH_STATE_{state}"}
    return {"name": told["name"], "metadata": {"@type": "type.googleapis.com/GenerateContentBatch", **told}}


def _operation(name: str, state: str) -> Json:
    told: Json = {"name": f"{_PUBLISHED}/{VIDEO_MODEL}/operations/{name}"}
    if state == "SUCCEEDED":
        return {**told, "done": True, "response": {"generateVideoResponse": {"generatedSamples": []}}}
    if state == "CANCELLED":
        return {**told, "done": True, "error": {"code": 1, "message": "The operation was cancelled."}}
    return told
