"""Cancels a job at its provider when the wait for it is interrupted, and writes down what came of that.

In: a job and a way to cancel it. Out: lines of the client log (`job_wait_started`, `job_wait_ended`,
`cancel_requested`, `cancel_ended`; for a background response, which is one inference call, `started` and `ended`).
The interruption itself goes on: no exception is swallowed, and a signal that kills still kills.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
import time
from _thread import allocate_lock
from types import TracebackType
from typing import Any, Callable

from orphaned_inference import leaving
from orphaned_inference.calls import STATE, process_name, program_name
from orphaned_inference.jobs import BACKGROUND_RESPONSE, Job, job_of, state_of
from orphaned_inference.journal import Journal, instant
from orphaned_inference.quiet import quietly
from orphaned_inference.reasons import DELIVERED, FAILED, Ending, ending_of, is_unconnected

_POLL_SECONDS = 0.25
_GRACE_SECONDS = 5.0  # on top of the wait, for a task that does not heed its cancellation
_ENDED = frozenset({
    "completed", "ended", "expired", "failed", "incomplete", "partially_succeeded", "succeeded", "cancelled",
})  # fmt: skip

_ACTIVE: list[CancelOnAbort] = []


class CancelOnAbort:
    """A wait for one job, as `with` or `async with`."""

    def __init__(self, job: Job, wait_seconds: float) -> None:
        self.job = job
        self.wait_seconds = wait_seconds
        self.call_id = os.urandom(16).hex()
        self.wait_until = 0.0
        self._began_at = 0.0
        self._is_done = False
        self._pid = 0  # of the process that waits: a forked child has a copy of this, and no right to cancel
        self._telling = allocate_lock()  # never given back: the outcome is told once
        self._is_taken = False  # the provider has the cancel
        self._state: str | None = None  # the job's, as last told after the cancel
        self._refusal: Exception | None = None  # the provider's answer to a cancel that followed a lost one
        self._trouble: Exception | None = None  # why a cancel or a look told nothing
        self._dying_of: int | None = None  # the signal that kills when the task has been cancelled
        self._cancel_task: Callable[[], object] | None = None  # set while the waiter is a task

    def __enter__(self) -> CancelOnAbort:  # noqa: PYI034 - Self came with Python 3.11
        self._enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._leave(error):
            self._cancel_in_time()

    async def __aenter__(self) -> CancelOnAbort:  # noqa: PYI034
        import asyncio

        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        if task is not None:
            cancel = task.cancel
            self._cancel_task = functools.partial(loop.call_soon_threadsafe, cancel)
        self._enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import asyncio

        try:
            if self._leave(error):
                step = asyncio.ensure_future(self._cancel_soon())
                await asyncio.wait([step], timeout=self.wait_seconds)
                step.cancel()
        finally:
            if self._dying_of is not None:
                leaving.die(self._dying_of)

    def die(self, signum: int) -> bool:
        """A signal is about to kill the process: cancel now, or (True) have the waiting task do it and then die."""
        if self._pid != os.getpid():
            return False
        if self._cancel_task is not None:
            self._dying_of = signum
            self._cancel_task()
            _die_anyway(signum, self.wait_seconds + _GRACE_SECONDS)
            return True
        if self._leave(KeyboardInterrupt()):
            self._cancel_in_time()
        return False

    @quietly
    def _enter(self) -> None:
        self._began_at, self._pid = time.monotonic(), os.getpid()
        _ACTIVE.append(self)
        self._write("started" if self._is_call else "job_wait_started", {
            "service": _service(), "provider": self.job.provider, "model": self.job.model,
            "operation": "chat" if self._is_call else self.job.kind, "response_id": self._response_id,
            "process": process_name(),
        })  # fmt: skip

    def _leave(self, error: BaseException | None) -> bool:
        """The wait is over; True if it was interrupted, so that the job is to be cancelled."""
        if self._is_done or self._pid != os.getpid():
            return False
        self._is_done = True
        if self in _ACTIVE:
            _ACTIVE.remove(self)
        signalled = self._dying_of is not None or self._began_at <= STATE.signalled_at
        ending = DELIVERED if error is None else ending_of(error, signalled=signalled)
        self._write("ended" if self._is_call else "job_wait_ended", {
            "outcome": ending.outcome, "reason": ending.reason, "response_id": self._response_id,
        })  # fmt: skip
        self.wait_until = time.monotonic() + self.wait_seconds
        return _is_abort(error, ending)

    @quietly
    def _cancel_in_time(self) -> None:
        """Cancel, and wait for it so long. In a thread: a provider that does not answer holds up nobody."""
        thread = threading.Thread(target=self._cancel, daemon=True, name="orphaned-inference-cancel")
        thread.start()
        thread.join(self.wait_seconds)
        self._write_outcome()

    @quietly
    def _cancel(self) -> None:
        """Cancel, then look until the provider says how the job ended. A look that fails refuses nothing."""
        self._write("cancel_requested", {})
        while not self._is_taken:
            try:
                self._see(self.job.cancel())
                self._is_taken = True
            except Exception as error:
                if not self._goes_on_after(error):
                    self._write_outcome(error)
                    raise
            if not self._is_taken:
                time.sleep(_POLL_SECONDS)
        while self.job.look is not None and not self._has_ended and time.monotonic() < self.wait_until:
            try:
                self._see(self.job.look())
            except Exception as error:  # noqa: BLE001 - the next look may tell
                self._trouble = error
            if not self._has_ended:
                time.sleep(_POLL_SECONDS)
        self._write_outcome()

    async def _cancel_soon(self) -> None:
        """The same where the client's steps are awaitable."""
        import asyncio

        self._write("cancel_requested", {})
        try:
            while not self._is_taken:
                try:
                    self._see(await _awaited(self.job.cancel()))
                    self._is_taken = True
                except Exception as error:  # noqa: BLE001 - the interruption goes on whatever the provider said
                    if not self._goes_on_after(error):
                        self._write_outcome(error)
                        return
                if not self._is_taken:
                    await asyncio.sleep(_POLL_SECONDS)
            while self.job.look is not None and not self._has_ended:
                try:
                    self._see(await _awaited(self.job.look()))
                except Exception as error:  # noqa: BLE001 - the next look may tell
                    self._trouble = error
                if not self._has_ended:
                    await asyncio.sleep(_POLL_SECONDS)
        finally:
            self._write_outcome()

    def _goes_on_after(self, error: Exception) -> bool:
        """Whether a cancel that ended so is not the last word: another may follow, or a look tells what it did.

        The known providers take a cancel twice, so one whose connection went is sent again while there is time. If a
        later one is refused, the first may have been heard: then the job's state says so.
        """
        if is_unconnected(error):
            self._trouble = error
            return self.job.provider is not None and time.monotonic() + _POLL_SECONDS < self.wait_until
        self._refusal = error
        self._is_taken = self._trouble is not None and self.job.look is not None
        return self._is_taken

    def _see(self, told: Any) -> None:
        """Take note of what the provider says of the job."""
        self._state = state_of(told) or self._state

    @property
    def _has_ended(self) -> bool:
        return self._state in _ENDED

    def _write_outcome(self, error: Exception | None = None) -> None:
        """What came of the cancel, by `error` if it was refused; said once, by whoever knows or has waited enough."""
        if not self._telling.acquire(blocking=False):
            return
        if error is not None:
            outcome = "failed"
        elif self._state == "cancelled" or (self._state == "ended" and self.job.provider == "anthropic"):
            outcome = "confirmed"
        elif self._has_ended:
            outcome = "too_late"
        elif self._refusal is not None and self._state != "cancelling":
            outcome, error = "failed", self._refusal
        else:
            outcome, error = "unconfirmed", self._trouble
        kind = type(error).__name__ if error is not None else None
        self._write("cancel_ended", {"cancel_outcome": outcome, "state": self._state, "error": kind})

    @quietly
    def _write(self, event: str, more: dict[str, Any]) -> None:
        journal = _journal()
        if journal is not None:
            head = {"event": event, "call_id": self.call_id, "at": instant(time.time_ns()), "job_id": self.job.job_id}
            journal.write({**head, **more})

    @property
    def _is_call(self) -> bool:
        return self.job.kind == BACKGROUND_RESPONSE

    @property
    def _response_id(self) -> str | None:
        return self.job.job_id if self._is_call else None


def cancel_on_abort(
    job: Any, cancel: Any, *, state: Callable[[Any], Any] | None = None, wait_seconds: float = 10.0
) -> CancelOnAbort:
    """A context manager around the wait for `job`: interrupted, it has the provider cancel the job.

    `cancel`: a client of google-genai (or its `aio`), openai or anthropic, for their batches and for OpenAI's
    background responses; or a function of the job. `state`: a function of the job that tells what became of it, where
    `cancel` is a function. Waits `wait_seconds` at most until the provider confirms. An interruption is Ctrl-C, a
    signal, a cancelled task, a deadline or an exit; other exceptions cancel nothing. TypeError: cannot be cancelled.
    """
    return CancelOnAbort(job_of(job, cancel, state), wait_seconds)


def _is_abort(error: BaseException | None, ending: Ending) -> bool:
    return error is not None and ending != FAILED


def _postpone(signum: int) -> bool:
    """Have every wait cancel its job before the process dies; True if one of them needs its event loop for it."""
    answers = [guard.die(signum) for guard in list(_ACTIVE)]
    return any(answers)


leaving.before_death.append(_postpone)


def _die_anyway(signum: int, seconds: float) -> None:
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.Signals(signum)))
    timer.daemon = True
    timer.start()


async def _awaited(answer: Any) -> Any:
    return await answer if hasattr(answer, "__await__") else answer


def _journal() -> Journal | None:
    """The watch's log; without a watch the one that the environment names, if any."""
    if STATE.watch is not None:
        return STATE.watch.journal
    path = os.environ.get("ORPHANED_INFERENCE_LOG")
    return Journal(path) if path else None


def _service() -> str:
    own = STATE.watch.service if STATE.watch is not None else None
    return own or os.environ.get("ORPHANED_INFERENCE_SERVICE") or program_name()
