"""Tells a task that a deadline of asyncio cancelled from one that the program cancelled.

Both arrive as CancelledError. `hook` has asyncio's timers leave a mark on the task that they cancel; `is_overdue`
reads it. asyncio itself is imported only where the host does so.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any
from weakref import WeakSet

from orphaned_inference.quiet import quietly

_OVERDUE: WeakSet[Any] = WeakSet()


def hook(asyncio: ModuleType) -> None:
    """Have asyncio.timeout (Python 3.11) and wait_for mark what they cancel."""
    if sys.version_info >= (3, 11):
        _mark_timeouts(asyncio.timeouts.Timeout)
    if sys.version_info < (3, 12):
        _mark_wait_for(asyncio.tasks)


def is_overdue(error: BaseException | None) -> bool:
    """Whether `error` is the cancellation of the running task by a deadline. True once a deadline."""
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is None or not _OVERDUE or not isinstance(error, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return False
    if task not in _OVERDUE:
        return False
    _OVERDUE.discard(task)  # what cancels this task next may be the program
    return True


@quietly
def _mark(task: Any) -> None:
    _OVERDUE.add(task)


def _mark_timeouts(timeout: Any) -> None:
    original = timeout._on_timeout  # noqa: SLF001 - the one place that knows

    def on_timeout(self: Any) -> None:
        _mark(self._task)
        original(self)

    timeout._on_timeout = on_timeout  # noqa: SLF001


def _mark_wait_for(tasks: Any) -> None:
    """Before 3.12 wait_for runs a task of its own, and cancels it where its time is up or it is cancelled itself."""
    original = tasks._cancel_and_wait  # noqa: SLF001

    async def cancel_and_wait(fut: Any, *args: Any, **kwargs: Any) -> None:
        if "CancelledError" not in type(sys.exc_info()[1]).__name__:
            _mark(fut)
        await original(fut, *args, **kwargs)

    tasks._cancel_and_wait = cancel_and_wait  # noqa: SLF001
