"""Jobs that can be cancelled: an interrupted wait has them cancelled at the provider, and goes on being interrupted."""

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from google.genai import types

from orphaned_inference import cancel_on_abort
from orphaned_inference.cancelling import CancelOnAbort
from orphaned_inference.jobs import Job, state_of
from tests.client import programs, ways
from tests.client.logs import Line, lines
from tests.client.server import Service


def openai_client(service: Service) -> openai.OpenAI:
    """A client of the fake service."""
    return openai.OpenAI(api_key="k", base_url=service.url + "/v1", max_retries=0)


def google_batch(service: Service) -> tuple[Any, Any]:
    """A batch as google-genai gives it, and its client."""
    return types.BatchJob(name="batches/1", model="models/quick"), ways.genai_client(service.url)


def openai_batch(service: Service) -> tuple[Any, Any]:
    """A batch as openai gives it, and its client."""
    client = openai_client(service)
    return client.batches.retrieve("batch_1"), client


def openai_response(service: Service) -> tuple[Any, Any]:
    """A background response and its client."""
    client = openai_client(service)
    return client.responses.retrieve("resp_9"), client


READY_MADE = [google_batch, openai_batch, openai_response]


def events(log: Path) -> list[str]:
    """The events in their order."""
    return [line["event"] for line in lines(log)]


def last(log: Path) -> Line:
    """The last line."""
    return lines(log)[-1]


@pytest.mark.parametrize("made", READY_MADE)
def test_interrupted_wait_cancels(made: Callable[[Service], tuple[Any, Any]], service: Service, log: Path) -> None:
    """Ctrl-C in the wait: the provider's own cancel, its confirmation, both on record, and the Ctrl-C goes on."""
    job, client = made(service)
    with pytest.raises(KeyboardInterrupt), cancel_on_abort(job, cancel=client):
        raise KeyboardInterrupt
    assert set(service.jobs.values()) == {"cancelled"}
    assert events(log)[2:] == ["cancel_requested", "cancel_ended"]
    assert (last(log)["cancel_outcome"], last(log)["state"]) == ("confirmed", "cancelled")
    ended = lines(log)[1]
    assert (ended["outcome"], ended["reason"]) == ("aborted", "interrupt")


def test_background_response_is_a_call(service: Service, log: Path) -> None:
    """The wait for a background response is an inference call with the response's id, which the provider logs too."""
    job, client = openai_response(service)
    with cancel_on_abort(job, cancel=client):
        pass
    assert events(log) == ["started", "ended"]
    assert last(log)["outcome"] == "delivered"
    assert {line["response_id"] for line in lines(log)} == {"resp_9"}
    assert service.jobs == {"resp_9": "running"}


@pytest.mark.parametrize("error", [ValueError, ConnectionError])
def test_other_exceptions_cancel_nothing(error: type[Exception], service: Service, log: Path) -> None:
    """A poll that fails is no interruption: the job may be waited for again."""
    job, client = openai_batch(service)
    with pytest.raises(error), cancel_on_abort(job, cancel=client):
        raise error
    assert events(log) == ["job_wait_started", "job_wait_ended"]


@pytest.mark.parametrize("error", [TimeoutError, SystemExit, GeneratorExit])
def test_other_interruptions(error: type[BaseException], service: Service, log: Path) -> None:
    """A deadline, an exit and a closed generator are interruptions as well."""
    job, client = openai_batch(service)
    with pytest.raises(error), cancel_on_abort(job, cancel=client):
        raise error
    assert last(log)["cancel_outcome"] == "confirmed"


def test_function_as_cancel(log: Path) -> None:
    """Any job can be cancelled by a function, and looked at by another."""
    states = iter(["running", "CANCELLING", "CANCELED"])
    asked: list[str] = []
    with (
        pytest.raises(KeyboardInterrupt),
        cancel_on_abort("operations/7", cancel=asked.append, state=lambda _: next(states)),
    ):
        raise KeyboardInterrupt
    assert asked == ["operations/7"]
    assert last(log)["cancel_outcome"] == "confirmed"


@pytest.mark.parametrize(("state", "outcome"), [("succeeded", "too_late"), ("running", "unconfirmed")])
def test_cancel_without_effect(state: str, outcome: str, log: Path) -> None:
    """A cancel that came too late, and one that is not confirmed within the wait, are told apart."""
    guard = cancel_on_abort("j", cancel=lambda _: None, state=lambda _: state, wait_seconds=0.4)
    with pytest.raises(KeyboardInterrupt), guard:
        raise KeyboardInterrupt
    assert last(log)["cancel_outcome"] == outcome


def flaky(looks: list[object]) -> Callable[[object], object]:
    """A function that tells one of `looks` after the other, and raises those that are errors."""
    told = iter(looks)

    def look(_: object) -> object:
        found = next(told, looks[-1])
        if isinstance(found, Exception):
            raise found
        return found

    return look


BROKEN = ConnectionError("reset")


@pytest.mark.parametrize(
    ("looks", "outcome", "error"),
    [([BROKEN, "cancelled"], "confirmed", None), ([BROKEN], "unconfirmed", "ConnectionError")],
)
@pytest.mark.parametrize("awaited", [False, True])
def test_a_look_that_fails_is_no_refusal(
    looks: list[object], outcome: str, error: str | None, awaited: bool, log: Path
) -> None:
    """A cancel that was taken stands, whatever becomes of the looks after it: the next one may tell."""
    guard = cancel_on_abort("j", cancel=lambda _: None, state=flaky(looks), wait_seconds=0.7)

    def wait() -> None:
        with guard:
            raise KeyboardInterrupt

    async def wait_as_a_task() -> None:
        async with guard:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(wait_as_a_task()) if awaited else wait()
    assert (last(log)["cancel_outcome"], last(log)["error"]) == (outcome, error)


def test_cancel_that_fails_or_hangs(log: Path) -> None:
    """Neither an error nor silence of the provider holds up the interruption."""

    def fail(_: object) -> None:
        raise ConnectionError("no")

    with pytest.raises(KeyboardInterrupt), cancel_on_abort("j", cancel=fail):
        raise KeyboardInterrupt
    assert (last(log)["cancel_outcome"], last(log)["error"]) == ("failed", "ConnectionError")
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), cancel_on_abort("j", cancel=lambda _: time.sleep(3), wait_seconds=0.2):
        raise KeyboardInterrupt
    assert time.monotonic() - begun < 1


def openai_batch_soon(service: Service) -> tuple[Any, Any]:
    """A batch and the asynchronous client of openai."""
    return "batch_1", openai.AsyncOpenAI(api_key="k", base_url=service.url + "/v1", max_retries=0)


def interrupted(job: Any, client: Any, seconds: float) -> None:
    """A wait that Ctrl-C ends: asynchronous where the client is."""

    async def wait_as_a_task() -> None:
        async with cancel_on_abort(job, cancel=client, wait_seconds=seconds):
            raise KeyboardInterrupt

    def wait() -> None:
        with cancel_on_abort(job, cancel=client, wait_seconds=seconds):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(wait_as_a_task()) if type(client).__name__.startswith("Async") else wait()


@pytest.mark.parametrize(
    ("made", "drops"),
    [(google_batch, 1), (openai_batch, 1), (openai_batch, 2), (openai_response, 1), (openai_batch_soon, 2)],
)  # fmt: skip
def test_cancel_on_a_stale_connection(
    made: Callable[[Service], tuple[Any, Any]], drops: int, service: Service, log: Path
) -> None:
    """A cancel whose connection the server had just closed is sent again, and confirmed."""
    job, client = made(service)
    service.drops = drops
    interrupted(job, client, 8.0)
    assert set(service.jobs.values()) == {"cancelled"}
    assert (last(log)["cancel_outcome"], last(log)["error"]) == ("confirmed", None)
    assert events(log)[2:] == ["cancel_requested", "cancel_ended"]


@pytest.mark.parametrize("made", [openai_batch, openai_batch_soon])
def test_cancel_that_was_heard_and_not_answered(
    made: Callable[[Service], tuple[Any, Any]], service: Service, log: Path
) -> None:
    """The first cancel took, though its connection went: a refusal of the second is no failure."""
    job, client = made(service)
    service.drops, service.is_heard, service.refuses = 1, True, True
    interrupted(job, client, 8.0)
    assert (last(log)["cancel_outcome"], last(log)["state"]) == ("confirmed", "cancelled")


def test_refusal_after_a_lost_cancel() -> None:
    """If the job then goes on as before, the cancel was refused after all."""
    errors = iter([ConnectionError("gone"), PermissionError("no")])

    def cancel() -> None:
        raise next(errors)

    job = Job("batch_1", "batch", "openai", None, cancel, lambda: "in_progress")
    guard = CancelOnAbort(job, 1.0)
    written: list[dict[str, Any]] = []
    guard._write = lambda event, more: written.append({"event": event, **more})  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt), guard:
        raise KeyboardInterrupt
    assert written[-1] == {
        "event": "cancel_ended", "cancel_outcome": "failed", "state": "in_progress", "error": "PermissionError",
    }  # fmt: skip


@pytest.mark.parametrize("made", [openai_batch, openai_batch_soon])
def test_cancel_is_sent_again_in_its_time_only(
    made: Callable[[Service], tuple[Any, Any]], service: Service, log: Path
) -> None:
    """Where no connection holds, the interruption goes on after the wait, and the cancel has failed."""
    job, client = made(service)
    service.drops = 1000
    begun = time.monotonic()
    interrupted(job, client, 1.0)
    assert 0.5 < time.monotonic() - begun < 2
    assert 2 <= 1000 - service.drops <= 5
    assert (last(log)["cancel_outcome"], last(log)["error"]) == ("failed", "APIConnectionError")


@pytest.mark.parametrize("made", [openai_batch, openai_batch_soon])
def test_answer_of_the_provider_stands(made: Callable[[Service], tuple[Any, Any]], service: Service, log: Path) -> None:
    """A cancel that the provider refused is not sent again."""
    job, client = made(service)
    service.jobs["batch_1"], service.refuses = "cancelled", True
    asked = len(service.requests)
    interrupted(job, client, 8.0)
    assert [path for _, path, _, _ in service.requests[asked:]] == ["/v1/batches/batch_1/cancel"]
    assert (last(log)["cancel_outcome"], last(log)["error"]) == ("failed", "ConflictError")


@pytest.mark.parametrize("kind", ["google", "openai"])
def test_cancelled_task(kind: str, service: Service, log: Path) -> None:
    """An asynchronous wait that is cancelled cancels with the asynchronous client, and stays cancelled."""

    async def main() -> None:
        client = (
            ways.genai_client(service.url).aio
            if kind == "google"
            else openai.AsyncOpenAI(api_key="k", base_url=service.url + "/v1")
        )
        name = "batches/1" if kind == "google" else "batch_1"

        async def wait() -> None:
            async with cancel_on_abort(name, cancel=client):
                await asyncio.sleep(20)

        task = asyncio.create_task(wait())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert set(service.jobs.values()) == {"cancelled"}
    assert last(log)["cancel_outcome"] == "confirmed"
    assert lines(log)[1]["reason"] == "cancelled"


SYNC = """
import sys, time, openai, orphaned_inference
client = openai.OpenAI(api_key="k", base_url=sys.argv[1] + "/v1")
with orphaned_inference.cancel_on_abort(client.batches.retrieve("batch_1"), cancel=client):
    time.sleep(20)
"""
ASYNC = """
import asyncio, sys, openai, orphaned_inference
async def main():
    client = openai.AsyncOpenAI(api_key="k", base_url=sys.argv[1] + "/v1")
    async with orphaned_inference.cancel_on_abort(await client.batches.retrieve("batch_1"), cancel=client):
        await asyncio.sleep(20)
asyncio.run(main())
"""


@pytest.mark.parametrize("text", [SYNC, ASYNC], ids=["sync", "async"])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_signal_in_the_wait(text: str, how: signal.Signals, service: Service, tmp_path: Path) -> None:
    """A signal that kills lets the cancel go out first, and then kills."""
    script, log = tmp_path / "waits.py", tmp_path / "calls.jsonl"
    script.write_text(text, encoding="utf-8")
    end = programs.left(script, service, how, log, logged="job_wait_started", pause=0.3)
    assert end.code == -how
    assert set(service.jobs.values()) == {"cancelled"}
    assert (last(log)["cancel_outcome"], lines(log)[1]["reason"]) == ("confirmed", "interrupt")


def test_nothing_known_to_cancel() -> None:
    """What can neither be called nor is a client is refused at once."""
    with pytest.raises(TypeError, match="no way is known to cancel 'batch_1' with object"):
        cancel_on_abort("batch_1", cancel=object())


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (types.JobState.JOB_STATE_CANCELLED, "cancelled"),
        ("BATCH_STATE_RUNNING", "running"),
        ({"status": "canceling"}, "cancelling"),
        (None, None),
        (3, None),
    ],
)
def test_states(answer: object, state: str | None) -> None:
    """Each provider's spelling of a state is brought to one."""
    assert state_of(answer) == state
