"""How long one whole pass takes, beside DuckDB's bare load of the same files and a script in pandas.

In: how many calls, how many rounds. Out: medians of wall time, CPU time and peak memory, their ratios, and
how each grows. The contenders take turns, each in a fresh process, so that a noisy machine is noisy for all
of them, every other round in reverse order, and each after the same reader of all files: what ran before
leaves memory warm or cold. Seconds are of the work alone: every contender's libraries are loaded before.
Ratios are the medians of the rounds' ratios. It exits 1 when the orphaned costs of ours and of pandas differ.

Use: python -m benchmarks.pass [--calls 100000:3 --calls 1000000:2 ...] [--folder DIR]
"""

import argparse
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

from benchmarks.child import Measured, folder, median, run, table

CONTENDERS = {
    "ours": ("ours",),
    "bare load": ("peer_duckdb",),
    "pandas": ("peer_pandas", "plain"),
    "pandas, Arrow reader": ("peer_pandas", "arrow"),
}
PANDAS_CALLS_MAX = 1_000_000  # beyond that its memory is not this machine's
HEAD = ("", "wall s", "CPU s", "peak MiB", "wall / ours", "CPU / ours")
# over, under, what is wanted of their ratio
GOALS = (
    ("ours", "bare load", "wanted: at most 2, better 1.3"),
    ("pandas", "ours", "wanted: at least 5, better 10"),
)
Rounds = dict[str, list[Measured]]
Figure = Callable[[Measured], float]


def main(arguments: Sequence[str]) -> int:
    """Measures every size, prints its table, and returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", action="append", help="CALLS:ROUNDS", metavar="N:ROUNDS")
    parser.add_argument("--folder", type=Path, help="where the files go (default: a temporary folder)")
    given = parser.parse_args(arguments)
    sizes = [tuple(map(int, size.split(":"))) for size in given.calls or ["100000:4", "1000000:2"]]
    found: dict[int, Rounds] = {}
    for calls, rounds in sizes:
        with folder(given.folder) as root:
            found[calls] = measure(root, calls, rounds)
    print(growth(found))
    return 0 if all(agree(rounds) for rounds in found.values()) else 1


def measure(root: Path, calls: int, rounds: int) -> Rounds:
    """Write the files, let everybody run in turn, and print what came of it."""
    # Another process writes them: a child's peak memory counts from what its parent held when it was forked.
    writing = run("traffic", str(root), str(calls))
    written = sum(path.stat().st_size for path in root.rglob("*.json*"))
    print(f"{calls:,} calls, {written / 1e6:,.0f} MB of files, written in {writing.seconds:.1f} s")
    found: Rounds = {name: [] for name in CONTENDERS if calls <= PANDAS_CALLS_MAX or "pandas" not in name}
    for number in range(rounds):
        for name in reversed(found) if number % 2 else found:
            module, *rest = CONTENDERS[name]
            run("warm", str(root))
            found[name].append(run(module, str(root), *rest))
    print(f"medians of {rounds}; ratios are medians of the rounds' ratios")
    print(table(HEAD, [row(name, found) for name in found]))
    for over, under, wanted in GOALS:
        if over in found:
            print(f"{over} / {under}: {ratio(found, over, under):.2f} ({wanted})")
    print(flush=True)
    return found


def ratio(found: Rounds, over: str, under: str, figure: Figure = attrgetter("seconds")) -> float:
    """The median of the rounds' ratios of one figure between two contenders."""
    pairs = zip(found[over], found[under], strict=True)
    return statistics.median(figure(a) / figure(b) for a, b in pairs)


def row(name: str, found: Rounds) -> tuple[str, ...]:
    """One contender's line of the table."""
    runs = found[name]
    return (
        name,
        f"{median(runs, attrgetter('seconds')):.2f}",
        f"{median(runs, attrgetter('cpu_seconds')):.2f}",
        f"{median(runs, attrgetter('rss_bytes')) / 2**20:,.0f}",
        f"{ratio(found, name, 'ours'):.2f}",
        f"{ratio(found, name, 'ours', attrgetter('cpu_seconds')):.2f}",
    )


def growth(found: dict[int, Rounds]) -> str:
    """How wall time and memory grow from one size to the next, for each contender."""
    rows = []
    sizes = sorted(found)
    for small, large in pairwise(sizes):
        for name in found[large]:
            before, after = found[small][name], found[large][name]
            rows.append((
                name,
                f"{small:,} -> {large:,}",
                f"x{median(after, attrgetter('seconds')) / median(before, attrgetter('seconds')):.1f}",
                f"x{median(after, attrgetter('rss_bytes')) / median(before, attrgetter('rss_bytes')):.1f}",
            ))  # fmt: skip
    return table(("growth", "calls", "wall", "memory"), rows) if rows else ""


def agree(found: Rounds) -> bool:
    """Whether ours and pandas found the same cost for every model; says so where they did not."""
    if "pandas" not in found:
        return True
    ours, theirs = found["ours"][0].answer["orphaned"], found["pandas"][0].answer["orphaned"]
    same = ours.keys() == theirs.keys() and all(
        math.isclose(ours[model], theirs[model], rel_tol=1e-6) for model in ours
    )
    if not same:
        print(f"orphaned cost differs: ours {ours}, pandas {theirs}", file=sys.stderr)
    return same


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
