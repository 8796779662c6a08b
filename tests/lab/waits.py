"""Scripts that wait for a job: `python -m tests.lab.waits batch|operation guarded|bare URL`.

Guarded ones wait within `cancel_on_abort`; bare ones do as the SDK's documentation shows, which cancels nothing.
"""

import sys
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import httpx
from google.genai import Client, types

from orphaned_inference import cancel_on_abort
from tests.lab.calls import gemini_client, vertex_client
from tests.lab.jobs import BATCH_MODEL, VIDEO_MODEL

POLL_SECONDS = 0.05


def batch(client: Client, url: str, *, guarded: bool) -> None:
    """File a batch, and ask for it until it is done."""
    _ = url
    job = client.batches.create(model=BATCH_MODEL, src=[types.InlinedRequest(contents="a secret")])
    guard: AbstractContextManager[Any] = cancel_on_abort(job, cancel=client) if guarded else nullcontext()
    with guard:
        while not job.done:
            time.sleep(POLL_SECONDS)
            job = client.batches.get(name=job.name or "")


def operation(client: Client, url: str, *, guarded: bool) -> None:
    """Ask for a video, and for the operation until it is done. The SDK has no cancel of its own for these."""

    def cancel(waited: Any) -> None:
        httpx.post(f"{url}/v1beta1/{waited.name}:cancel").raise_for_status()

    def state(waited: Any) -> str:
        now = client.operations.get(waited)
        if not now.done:
            return "running"
        return "cancelled" if now.error else "succeeded"

    waited = client.models.generate_videos(model=VIDEO_MODEL, prompt="a secret")
    guard: AbstractContextManager[Any] = (
        cancel_on_abort(waited, cancel=cancel, state=state) if guarded else nullcontext()
    )
    with guard:
        while not waited.done:
            time.sleep(POLL_SECONDS)
            waited = client.operations.get(waited)


def main(kind: str, guarded: str, url: str) -> None:
    """File, and wait."""
    wait, made = {"batch": (batch, gemini_client), "operation": (operation, vertex_client)}[kind]
    with made(url) as client:
        wait(client, url, guarded=guarded == "guarded")


if __name__ == "__main__":
    main(*sys.argv[1:])
