"""One measured run in a fresh process, and how figures are printed.

In: a module of this folder that prints a line of JSON with its `seconds`, and its arguments. Out: that
answer, with the process's CPU time and peak memory as the system counts them. `seconds` is the work alone;
CPU time and memory are the whole process's, interpreter and imports included.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: seconds of work, seconds of CPU, peak resident memory, and what the run says it found."""

    seconds: float
    cpu_seconds: float
    rss_bytes: int
    answer: dict[str, Any]


def run(module: str, *arguments: str) -> Measured:
    """`python -m benchmarks.MODULE ARGUMENTS` to its end. Raises RuntimeError if it fails."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        if process.stdout is None:
            raise RuntimeError("no pipe")
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    answer = json.loads(text)
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return Measured(answer["seconds"], cpu_seconds, usage.ru_maxrss * 1024, answer)


@contextmanager
def folder(wanted: Path | None) -> Iterator[Path]:
    """A folder of this run's own, in `wanted` (made if need be), gone at the end."""
    if wanted:
        wanted.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="orphaned-bench-", dir=wanted) as name:
        yield Path(name)


def median(runs: Iterable[Measured], figure: Callable[[Measured], float]) -> float:
    """The median of one figure over some runs."""
    return statistics.median(figure(one) for one in runs)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of text below each other, the first column to the left, the others to the right."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
