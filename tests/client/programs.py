"""Programs in processes of their own, under watch and without: the same script, the same signals, compared.

In: a script's text, and what is done to it while it waits for the server. Out: how it ended and what it printed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.client.server import Service

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "client" / "src"
WAIT_SECONDS = 30


class End(NamedTuple):
    """A process that has ended: its code as subprocess tells it (a signal is negative), and what it printed."""

    code: int
    stdout: str
    stderr: str

    @property
    def last_words(self) -> str:
        """The last line on standard error: of a traceback, the exception."""
        return self.stderr.strip().rpartition("\n")[2]


def environment(**more: str) -> dict[str, str]:
    """The environment of a program, in which the client is found as if it were installed."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ORPHANED_")}
    return {**kept, "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1", **more}


def command(program: Sequence[str], log: Path | None) -> list[str]:
    """The command line of a program: watched where there is a log."""
    watch = ["-m", "orphaned_inference", "--log", str(log)] if log is not None else []
    return [sys.executable, *watch, *program]


def launch(command: Sequence[str], cwd: Path | None = None, **more: str) -> subprocess.Popen[str]:
    """Start a command, with more in its environment; signals end it even where these tests run under nohup."""
    return subprocess.Popen(
        ["env", "--default-signal=HUP,INT", *command],
        env=environment(**more),
        cwd=cwd,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[str]) -> End:
    """Wait for its end."""
    try:
        stdout, stderr = process.communicate(timeout=WAIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return End(process.returncode, stdout, stderr)


def run(program: Sequence[str], log: Path | None = None, *, cwd: Path | None = None) -> End:
    """Run a program to its end."""
    return finish(launch(command(program, log), cwd))


def left(
    script: Path, service: Service, how: signal.Signals, log: Path | None, *,
    requests: int = 1, logged: str = "", pause: float = 0.0, ready: Path | None = None,
) -> End:  # fmt: skip
    """Run `script URL [READY]` until the server has its requests and the log says `logged`, then send it the signal.

    A script that is given a file `ready` makes it when it has got as far as it is to be left.
    """
    process = launch(command([str(script), service.url, *([str(ready)] if ready else [])], log))
    for _ in range(requests):
        service.wait_for_request()
    end = time.monotonic() + WAIT_SECONDS
    while not _is_so_far(log, logged, ready) and time.monotonic() < end:
        time.sleep(0.02)
    service.stop.wait(pause)
    process.send_signal(how)
    return finish(process)


def _is_so_far(log: Path | None, logged: str, ready: Path | None) -> bool:
    return (log is None or logged in _text(log)) and (ready is None or ready.exists())


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8") if log.exists() else ""
