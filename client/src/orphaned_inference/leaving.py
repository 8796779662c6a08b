"""How a process goes: signals, the interpreter's exit, and forks.

Python code does not run when a signal kills a process outright. So where SIGTERM, SIGHUP or SIGINT would do that,
a handler of ours ends the open calls and then lets the same signal kill the process. A handler of the host's own is
called as ever; that the signal came is noted, because what the host cancels afterwards was interrupted by it.
The host sees none of this: `signal.getsignal` and what `signal.signal` returns name what the host has set.
"""

from __future__ import annotations

import atexit
import functools
import os
import signal
import time
from types import FrameType
from typing import Any, Callable

from orphaned_inference.calls import STATE, end_all, end_at_exit, forget
from orphaned_inference.quiet import quietly
from orphaned_inference.reasons import INTERRUPT

_SIGNALS = frozenset(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # SIGHUP is what a terminal sends that is closed
_INIT = 1  # a container's first process: the kernel keeps from it what it has no handler for
_real_signal = signal.signal
_real_getsignal = signal.getsignal

# Asked before a signal kills the process; True: it will be done later, when what is under way has been cancelled.
before_death: list[Callable[[int], bool]] = []


class _Noting:
    """Stands before a handler of the host's."""

    def __init__(self, inner: Callable[[int, FrameType | None], Any]) -> None:
        self.inner: Any = inner

    def __call__(self, signum: int, frame: FrameType | None) -> Any:
        STATE.signalled_at = time.monotonic()
        return self.inner(signum, frame)


class _Interrupting:
    """Stands before Python's own handler of Ctrl-C, which raises KeyboardInterrupt.

    That may never reach us: a library can make another error of it, as pydantic does when it comes while a model is
    being built (a SchemaError without a context, seen with google-genai 3.4). As a property this has returned when
    KeyboardInterrupt is raised, so that no frame of ours stands in its traceback.
    """

    inner: Any = staticmethod(signal.default_int_handler)

    @property
    def __call__(self) -> Callable[[int, FrameType | None], Any]:
        STATE.signalled_at = time.monotonic()
        return signal.default_int_handler


class _Deadly:
    """Stands where the signal would have killed the process, and kills it."""

    inner: Any = signal.SIG_DFL

    def __call__(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - what handlers are given
        STATE.signalled_at = time.monotonic()
        _real_signal(signum, signal.SIG_DFL)  # a second one kills at once
        if not _is_postponed(signum):
            die(signum)


_OURS = (_Noting, _Interrupting, _Deadly)


def die(signum: int) -> None:
    """End the open calls, and the process by that signal, which has its default effect again."""
    end_all(INTERRUPT)
    os.kill(os.getpid(), signum)


@quietly
def _is_postponed(signum: int) -> bool:
    answers = [ask(signum) for ask in before_death]  # all of them are asked
    return any(answers)


@quietly
def watch_leaving() -> None:
    """Take note of signals, exits and forks from now on. Signals need the main thread; the rest does not."""
    atexit.register(end_at_exit)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)
    signal.signal = _signal
    signal.getsignal = _getsignal
    for signum in _SIGNALS:
        _stand_before(signum)


@quietly
def _stand_before(signum: int) -> None:
    """ValueError outside the main thread: then that signal goes unnoticed."""
    handler = _real_getsignal(signum)
    wrapped = _wrapped(signum, handler)
    if wrapped is not handler:
        _real_signal(signum, wrapped)


def _signal(signalnum: int, handler: Any) -> Any:
    """`signal.signal`, with ours standing before the host's handler."""
    return _unwrapped(_real_signal(signalnum, _wrapped(signalnum, handler)))


def _getsignal(signalnum: int) -> Any:
    """`signal.getsignal`, naming the host's handler."""
    return _unwrapped(_real_getsignal(signalnum))


functools.update_wrapper(_signal, _real_signal)
functools.update_wrapper(_getsignal, _real_getsignal)


def _wrapped(signum: int, handler: Any) -> Any:
    if signum not in _SIGNALS or isinstance(handler, _OURS):
        return handler
    if handler is signal.default_int_handler:
        return _Interrupting()
    if isinstance(handler, int):  # SIG_DFL is 0; SIG_IGN stays, and so does what cannot kill the first process of all
        return _Deadly() if handler == signal.SIG_DFL and os.getpid() != _INIT else handler
    return _Noting(handler) if callable(handler) else handler


def _unwrapped(handler: Any) -> Any:
    return handler.inner if isinstance(handler, _OURS) else handler
