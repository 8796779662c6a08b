"""What matching by time and size costs: one pass over the same files with it, and with nothing but ids.

In: how many calls, how many rounds. Out: medians of wall time, CPU time and peak memory, with and without the
race, and their ratio. Half of the backend's entries have no id that a client knows; one call in fifty is
left. Each run is a process of its own.

Use: python -m benchmarks.race [--calls 1000000:1 --calls 10000000:1 ...] [--gap-us 50000]
     [--folder DIR]
"""

import argparse
import json
import re
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.child import Measured, folder, median, run, table
from benchmarks.traffic import END_US, HOUR_US, Traffic
from collector import config, pipeline
from collector.correlate import steps
from collector.ledger import dialect

HEAD = ("", "wall s", "CPU s", "peak MiB", "probable", "of suspects")
WANTED = 1.4
IDS = re.compile(rb'"(request_id|trace|spanId)":')
MODES = ("without", "with")


def main(arguments: Sequence[str]) -> int:
    """Measures every size and prints its table; or, told `write` or a mode, does one step and prints JSON."""
    if arguments and arguments[0] in {"write", *MODES}:
        return child(*arguments)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", action="append", help="CALLS:ROUNDS", metavar="N:ROUNDS")
    parser.add_argument("--gap-us", default="50000", help="microseconds between two calls")
    parser.add_argument("--folder", type=Path, help="where the files go (default: a temporary folder)")
    given = parser.parse_args(arguments)
    for size in given.calls or ["1000000:1"]:
        calls, rounds = map(int, size.split(":"))
        with folder(given.folder) as root:
            run("race", "write", str(root), str(calls), given.gap_us)
            measure(root, calls, rounds)
    return 0


def measure(root: Path, calls: int, rounds: int) -> None:
    """Let both take turns, and print what came of it."""
    found: dict[str, list[Measured]] = {mode: [] for mode in MODES}
    for _ in range(rounds):
        for mode, runs in found.items():
            runs.append(run("race", mode, str(root)))
    print(f"{calls:,} calls, medians of {rounds}")
    print(table(HEAD, [row(f"{mode} the race", runs) for mode, runs in found.items()]))
    for name, figure in (("wall", attrgetter("seconds")), ("CPU", attrgetter("cpu_seconds"))):
        pairs = zip(found["with"], found["without"], strict=True)
        ratio = statistics.median(figure(a) / figure(b) for a, b in pairs)
        print(f"{name}, with / without: {ratio:.2f} (wanted: at most {WANTED})")
    print(flush=True)


def row(name: str, runs: Sequence[Measured]) -> tuple[str, ...]:
    """One line of the table."""
    return (
        name, f"{median(runs, attrgetter('seconds')):.2f}", f"{median(runs, attrgetter('cpu_seconds')):.2f}",
        f"{median(runs, attrgetter('rss_bytes')) / 2**20:,.0f}", f"{runs[0].answer['probable']:,}",
        f"{runs[0].answer['suspects']:,}",
    )  # fmt: skip


def child(step: str, root: str, *more: str) -> int:
    """One step in this process; its answer as a line of JSON."""
    began = time.perf_counter()
    if step == "write":
        Traffic(Path(root), gap_us=int(more[1])).history(int(more[0]))
        hide_ids(Path(root))
        print(json.dumps({"seconds": time.perf_counter() - began}))
    else:
        print(json.dumps(one_pass(Path(root), race=step == "with")))
    return 0


def hide_ids(root: Path) -> None:
    """Rename the ids of every other entry of the backend, by the first digit of its own id."""
    for path in (root / "backend").glob("*.jsonl"):
        whole = path.with_suffix(".whole")
        path.rename(whole)
        with whole.open("rb") as old, path.open("wb") as new:
            for line in old:
                at = line.index(b'"insertId":"') + 12
                new.write(IDS.sub(rb'"hidden_\1":', line) if line[at] < ord("8") else line)
        whole.unlink()


def one_pass(root: Path, *, race: bool) -> dict[str, Any]:
    """Read, match and price everything under `root`, into a fresh ledger."""
    settings = config.load(root / "orphaned.yaml")
    for old in root.glob("ledger.duckdb*"):
        old.unlink()
    if not race:
        vars(steps)["_race"] = _no_race
    began = time.perf_counter()
    pipeline.run_once(settings, now_us=END_US + 2 * HOUR_US)
    seconds = time.perf_counter() - began
    with duckdb.connect(str(settings.ledger_path), read_only=True) as connection:
        probable = connection.table("chosen_match").filter("evidence = 'probable'").count("*").fetchall()[0][0]
        suspects = connection.table("suspect").count("*").fetchall()[0][0]
    return {"seconds": seconds, "probable": probable, "suspects": suspects}


def _no_race(connection: duckdb.DuckDBPyConnection, bound: Mapping[str, Any]) -> None:
    """Nothing is matched but by ids; what later steps look for is empty."""
    dialect.run(connection, steps.PACKAGE, "end_moved_empty", bound)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
