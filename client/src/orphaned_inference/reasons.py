"""Why a call ended early: the exception that ended it comes in; outcome and reason of the contract go out.

The libraries' exceptions are told apart by the names of their classes, so that no library is imported for it.
"""

from __future__ import annotations

import socket
from typing import NamedTuple

_CHAIN_MAX = 5


class Ending(NamedTuple):
    """How a call ended, in the words of the client log."""

    outcome: str
    reason: str | None


DELIVERED = Ending("delivered", None)
FAILED = Ending("failed", None)
INTERRUPT = Ending("aborted", "interrupt")
CANCELLED = Ending("aborted", "cancelled")
TIMEOUT = Ending("aborted", "timeout")

# Nothing was sent yet: there is no work at the backend that could be orphaned.
_UNSENT = frozenset({
    "ConnectTimeout", "ConnectTimeoutError", "ConnectionTimeoutError", "PoolTimeout", "NewConnectionError",
    "ConnectError", "ClientConnectorError", "EmptyPoolError",
})  # fmt: skip
# The connection could not be had, or went: no answer of the server's.
_UNCONNECTED = frozenset({
    "ConnectionError", "NetworkError", "RemoteProtocolError", "APIConnectionError", "ClientConnectionError",
})  # fmt: skip
_CANCELLED = frozenset({"CancelledError", "Cancelled", "GeneratorExit"})


def ending_of(error: BaseException | None, *, signalled: bool, overdue: bool = False) -> Ending:
    """How a call ended that `error` ended; None: its response was closed before its end.

    `signalled`: a signal to stop has come since the call began. `overdue`: it was cancelled by a deadline.
    """
    if error is not None and _is_interrupt(error, signalled=signalled):
        return INTERRUPT
    if error is None or _names(error) & _CANCELLED:
        if overdue:
            return TIMEOUT
        return INTERRUPT if signalled else CANCELLED
    return _ending_of_failure(_inner(error))


def closing_of(error: BaseException | None, *, signalled: bool, overdue: bool = False) -> Ending:
    """How a call ended whose response the program closed early, while handling `error` (None: for no error).

    Errors of the program itself are no errors of the call: it was closed.
    """
    if error is None or _is_interrupt(error, signalled=signalled):
        return ending_of(error, signalled=signalled)
    if _is_timeout(error) or overdue:
        return TIMEOUT
    return INTERRUPT if signalled else CANCELLED


def is_unconnected(error: BaseException) -> bool:
    """Whether the connection failed, as a pooled one does that the server has closed meanwhile. No timeout counts."""
    return bool(_names(error) & _UNCONNECTED) and not _is_timeout(error)


def _is_interrupt(error: BaseException, *, signalled: bool) -> bool:
    """Ctrl-C, here or at what this exception came from, or an exit because of a signal."""
    if isinstance(error, SystemExit):
        return signalled
    if _names(error) & _CANCELLED:
        return any(isinstance(link, KeyboardInterrupt) for link in _contexts(error))
    return isinstance(error, KeyboardInterrupt)


def _contexts(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    link = error.__context__
    while link is not None and len(chain) < _CHAIN_MAX:
        chain.append(link)
        link = link.__context__
    return chain


def _ending_of_failure(error: BaseException) -> Ending:
    if isinstance(error, SystemExit):
        return CANCELLED
    if _names(error) & _UNSENT:
        return FAILED
    return TIMEOUT if _is_timeout(error) else FAILED


def _is_timeout(error: BaseException) -> bool:
    return isinstance(error, socket.timeout) or any("Timeout" in name for name in _names(error))


def _inner(error: BaseException) -> BaseException:
    """The error that urllib3 wrapped when it gave up."""
    reason = getattr(error, "reason", None)
    return reason if isinstance(reason, BaseException) else error


def _names(error: BaseException) -> frozenset[str]:
    return frozenset(kind.__name__ for kind in type(error).__mro__)
