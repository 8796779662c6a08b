"""How the observers' clocks stand against the backend's, as far as exact matches tell.

In: the delays that matching has learnt, and the exact matches of each observer's last 24 hours. Out: a
ClockState an observer. It cannot tell a clock that is ahead from a slow network: it states the sum of both.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Any

import duckdb

from collector.ledger import dialect

PACKAGE = "collector.ledger"
PAIRS_MIN = 8  # with fewer, matching learns from the likeliest pairs of the hour alone, and nothing is stated here
HOUR_PAIRS_MIN = 3  # an hour with fewer is no point of the line
HOURS_MIN = 3  # a line through fewer says nothing
DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class ClockState:
    """One observer. `shift_us`: how far the backend's receipt lies after its start, by their two clocks.

    That is the backend's clock minus the observer's, plus one way of the network; delays lie `scale_us` from
    it on average. It is what matching used for the hour that begins at `hour_at_us`, learnt from the `pairs`
    exact matches of the 24 hours that end with that hour. `drift_us` is how much the shift grows in a day;
    None where fewer than three hours have exact matches.
    """

    source: str
    hour_at_us: int
    pairs: int
    shift_us: float
    scale_us: float
    drift_us: float | None


def clock_lines(connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any]) -> list[ClockState]:
    """The observers of which something has been learnt by `now_us`, by name."""
    bound = {**values, "pairs_min": PAIRS_MIN}
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for source, hour_at_us, pairs, delay_us in dialect.run(connection, PACKAGE, "clock_hour", bound):
        if pairs >= HOUR_PAIRS_MIN:
            points[source].append((hour_at_us / DAY_US, delay_us))
    learnt = dialect.run(connection, PACKAGE, "clock_learnt", bound)
    return [
        ClockState(source, hour_at_us, pairs, shift_us, scale_us, slope(points[source]))
        for source, hour_at_us, pairs, shift_us, scale_us in learnt
    ]


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """The slope of `points` (x all different): the median over all pairs, which outliers do not move.

    None for fewer than three points. Theil (1950), Sen (1968).
    """
    if len(points) < HOURS_MIN:
        return None
    return median((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2))
