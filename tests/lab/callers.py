"""The callers' processes: `python -m orphaned_inference ... -m tests.lab.callers`, a process a call.

The libraries are imported once and each caller is forked from there, as a server does that loads before it forks.
In: one JSON line a caller (the orders of `stage.py`). Out: lines of what happens to it: `{"cell", "pid"}`,
`{"cell", "tokens"}` after each event of a stream, `{"cell", "ended"}` with the exit code (a signal is negative).
"""

import gc
import json
import os
import select
import signal
import sys
from typing import Any

from tests.lab.calls import Ask, call, seconds_of

STDIN, STDOUT = 0, 1
POLL_SECONDS = 0.02


def main() -> None:
    """Fork a caller a line until there are no more lines and no more callers."""
    gc.freeze()  # what all callers share is not looked through by each
    callers: dict[int, str] = {}
    rest, is_open = b"", True
    while is_open or callers:
        if is_open and select.select([STDIN], [], [], POLL_SECONDS)[0]:
            data = os.read(STDIN, 1 << 16)
            is_open = bool(data)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                order = json.loads(line)
                callers[_forked(order)] = order["cell"]
        elif not is_open:
            select.select([], [], [], POLL_SECONDS)
        _reap(callers)


def _forked(order: dict[str, Any]) -> int:
    """The process of a new caller."""
    child = os.fork()
    if child == 0:
        _become(order)
    say(order["cell"], "pid", child)
    return child


def _become(order: dict[str, Any]) -> None:
    """Be that caller, to the end of the process. What the call raises goes up and out, as in any script."""
    cell = order["cell"]
    nothing = os.open(os.devnull, os.O_RDONLY)
    errors = os.open(order["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(nothing, STDIN)
    os.dup2(errors, sys.stderr.fileno())
    signal.signal(signal.SIGINT, signal.default_int_handler)
    way, take = order["way"], order["take"]
    ask = Ask(
        order["shape"], order["url"], order["traceparent"], lambda tokens: say(cell, "tokens", tokens),
        seconds_of(way), take if way == "closed" else None,
    )  # fmt: skip
    call(ask, way)
    sys.exit(0)


def _reap(callers: dict[int, str]) -> None:
    while callers:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        say(callers.pop(pid), "ended", os.waitstatus_to_exitcode(status))


def say(cell: str, what: str, value: int) -> None:
    """One line, in one write: many processes share the pipe."""
    os.write(STDOUT, json.dumps({"cell": cell, what: value}).encode() + b"\n")


if __name__ == "__main__":
    main()
