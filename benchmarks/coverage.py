"""How often the 90 % interval of a lost total holds the truth, and how wide it is, over many simulated worlds.

In: how many seeds, how many calls a world. Out: a line a kind of world: the share of worlds whose truth lies
between the bounds, the median width as a share of the truth, how many truths lie below and above, the
median error of the best figure, and how many of the probable pairs are right for each said probability.

Use: python -m benchmarks.coverage [--seeds 40] [--first 1] [--calls 450] [--world NAME ...]
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.child import table
from benchmarks.matching import TRACE, WIDE, WORLDS
from tests.matching import calibration, found_by_key, interval_each, read_whole, score_each, start_of, total
from tests.world import World, WorldSpec, build, from_trace

HEAD = (
    "",
    "held",
    "below low",
    "above high",
    "median width",
    "median error",
    "precision",
    "recall",
    "said: right (of)",
)
EDGES = (0.5, 0.7, 0.9, 0.98, 1.01)
MORE: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    "hard: 50 % of ids, 60 calls/s, one model": {
        "id_share": 0.5, "rate_per_s": 60.0, "models": WorldSpec(seed=0).models[:1], **WIDE,
    },
    "no ids, no tokens counted": {"id_share": 0.0, "uncounted_share": 1.0},
})  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Prints one line a kind of world."""
    kinds = {**WORLDS, **MORE}
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--calls", type=int, default=450)
    parser.add_argument("--world", action="append", choices=list(kinds))
    given = parser.parse_args(arguments)
    seeds = range(given.first, given.first + given.seeds)
    print(f"{given.seeds} seeds from {given.first} on, {given.calls} calls each")
    print(table(HEAD, [row(name, kinds[name], seeds, given.calls) for name in given.world or kinds]))
    return 0


def row(name: str, kind: Mapping[str, Any], seeds: Sequence[int], calls: int) -> tuple[str, ...]:
    """One kind of world: all its seeds in one ledger, days apart."""
    specs = [WorldSpec(seed=seed, start=start_of(seed), hours=1, calls=calls, **kind) for seed in seeds]
    worlds: list[World] = [from_trace(TRACE, spec) if "trace" in name else build(spec) for spec in specs]
    with tempfile.TemporaryDirectory(prefix="orphaned-bench-") as folder:
        config = read_whole(worlds, Path(folder))
        found = interval_each(worlds, config)
        whole = total(score_each(worlds, found_by_key(config)))
    low = sum(not one.holds and one.true_nano < one.low_nano for one in found)
    high = sum(not one.holds and one.true_nano > one.high_nano for one in found)
    error = statistics.median(float(one.best_nano / one.true_nano - 1) for one in found)
    said = (f"{mean:.2f}: {right:.2f} ({count})" for mean, right, count in calibration(whole.sure, EDGES))
    return (
        name, f"{sum(one.holds for one in found) / len(found):.1%}", f"{low}", f"{high}",
        f"{statistics.median(one.width for one in found):.1%}", f"{error:+.1%}", f"{whole.precision:.4f}",
        f"{whole.recall:.4f}", ", ".join(said),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
