"""How long a tick of the daemon takes, on ledgers of different lengths.

In: the lengths of history to compare, in completions. For each: a ledger of that history, one tick to warm
up, then nine ticks; each tick is 10,000 new completions, some 200 of them aborted, with their client and
proxy lines, appended to the files that are being written. Out: the median wall time of `run_once`, its
parts, and the ratio between the longest and the shortest history. A last tick brings the bill of the hours
that have passed.

Use: python -m benchmarks.tick [--history 100000 --history 1000000 ...] [--folder DIR]
     python -m benchmarks.tick --one FOLDER   (a folder that has a history and its ledger: a line of JSON)
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.child import folder, run, table
from benchmarks.traffic import Traffic
from collector import config, pipeline

TICKS = 9
TICK_CALLS = 10_000
# The functions of the pipeline that are timed one by one; opening, closing and the rest are what is left.
PARTS = {
    "read": "read",
    "correlate": "correlate",
    "cost": "cost",
    "check_invariants": "invariants",
    "keep": "keep",
    "summarise": "summary",
}
LAPS = ("wall", "CPU", *PARTS.values(), "rest")


class Stopwatch:
    """Seconds spent in the parts of the pipeline since the last `lap`."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PARTS.values(), 0.0)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Every part is timed while this is open."""
        plain = {name: getattr(pipeline, name) for name in PARTS}
        for name, function in plain.items():
            setattr(pipeline, name, partial(self._timed, PARTS[name], function))
        try:
            yield
        finally:
            for name, function in plain.items():
                setattr(pipeline, name, function)

    def lap(self, act: Callable[[], Any]) -> dict[str, float]:
        """Milliseconds of `act`, whole and in parts."""
        self.seconds = dict.fromkeys(self.seconds, 0.0)
        began, cpu_began = time.perf_counter(), time.process_time()
        act()
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu_began
        laps = {"wall": wall, "CPU": cpu, **self.seconds, "rest": wall - sum(self.seconds.values())}
        return {name: seconds * 1000 for name, seconds in laps.items()}

    def _timed(self, part: str, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            self.seconds[part] += time.perf_counter() - began


def main(arguments: Sequence[str]) -> int:
    """Measures every length, prints the table, and returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--history", action="append", type=int, metavar="N", help="completions at first")
    parser.add_argument("--folder", type=Path, help="where the files go (default: a temporary folder)")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        print(json.dumps(ticks(given.one)))
        return 0
    found = {calls: measure(given.folder, calls) for calls in given.history or [100_000, 1_000_000]}
    print(f"ticks of {TICK_CALLS:,} completions; medians of {TICKS}, in ms")
    print(table(("history", *LAPS, "with a bill"), [row(calls, told) for calls, told in found.items()]))
    least, most = min(found), max(found)
    ratios = [found[most]["medians"][name] / found[least]["medians"][name] for name in ("wall", "CPU")]
    told = f"wall {ratios[0]:.2f}, CPU {ratios[1]:.2f} (wanted: at most 1.25)"
    print(f"{most:,} / {least:,}: {told}\n", flush=True)
    return 0


def row(calls: int, told: dict[str, Any]) -> tuple[str, ...]:
    """One history's line of the table."""
    laps = told["medians"]
    return f"{calls:,}", *(f"{laps[name]:.0f}" for name in LAPS), f"{told['with_bill']['wall']:.0f}"


def measure(wanted: Path | None, calls: int) -> dict[str, Any]:
    """Make a history and its ledger, and have the ticks measured in a process of their own."""
    with folder(wanted) as root:
        run("traffic", str(root), str(calls), "hours")
        run("ours", str(root), "history")
        return run("tick", "--one", str(root)).answer


def ticks(root: Path) -> dict[str, Any]:
    """The laps of one folder's ticks."""
    settings = config.load(root / "orphaned.yaml")
    traffic, watch = Traffic(root), Stopwatch()

    def tick() -> None:
        pipeline.run_once(settings, now_us=traffic.now_us)

    laps = []
    with watch.installed():
        for _ in range(TICKS + 1):
            traffic.follow(TICK_CALLS)
            laps.append(watch.lap(tick))
        traffic.follow(TICK_CALLS)
        traffic.bill_hours("later")
        with_bill = watch.lap(tick)
    medians = {name: statistics.median(lap[name] for lap in laps[1:]) for name in LAPS}
    return {"seconds": medians["wall"] / 1000, "medians": medians, "laps": laps, "with_bill": with_bill}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
