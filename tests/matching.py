"""What the tests of matching by time and size share: many worlds in one ledger, and how well it did.

In: worlds that know the truth, and a ledger that has read them. Out: precision, recall, the error of the
lost total, its bounds, and each probability with whether its pair was right. Nothing here decides how good
is good enough.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from math import comb
from pathlib import Path
from random import Random
from typing import Any

import pytest

from collector import pipeline
from collector.config import Config, load
from collector.correlate import steps
from collector.ledger.summary import Window, spend
from collector.records import instant_us
from tests.helpers import DAY_US, HOUR_US, MINUTE_US, NANO, T0_US, Desk, Row, rows, run
from tests.world import World
from tests.world_lines import Line
from tests.world_truth import TrueAbort

FIRST_DAY = datetime(2026, 11, 20, tzinfo=UTC)
# Two days apart, because what an hour learns comes from 24 hours and a bill reaches beyond its own day.
APART = timedelta(days=2)
Key = tuple[str, str, int | None]


def start_of(seed: int) -> datetime:
    """When the world of that seed begins, so that no two of them can meet in one ledger."""
    return FIRST_DAY + seed * APART


def together(worlds: Sequence[World]) -> World:
    """The lines of several worlds as those of one, by arrival; its truth is the first one's alone."""
    lines = sorted((line for world in worlds for line in world.lines), key=lambda line: line.arrives_us)
    numbered = tuple(line._replace(order=number) for number, line in enumerate(lines))
    return replace(worlds[0], lines=numbered, as_of=max(world.as_of for world in worlds))


def read_whole(worlds: Sequence[World], directory: Path) -> Config:
    """All lines of those worlds, read in one run when all is settled; the config."""
    whole = together(worlds)
    config = load(whole.write(directory))
    pipeline.run_once(config, now_us=instant_us(whole.as_of))
    return config


def read_shuffled(world: World, directory: Path, seed: int, runs: int) -> Config:
    """The same lines in an order of no sense, a part of them before each of so many runs; the config."""
    rng = Random(seed)
    lines = list(world.lines)
    rng.shuffle(lines)
    config = load(world.write(directory, 0.0))
    size = -(-len(lines) // runs)
    for number in range(runs):
        _append(directory, lines[number * size : (number + 1) * size])
        run(config, instant_us(world.as_of) - runs + 1 + number)
    return config


def _append(directory: Path, lines: Iterable[Line]) -> None:
    for line in lines:
        path = directory / line.file
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(line.data + b"\n")


@dataclass(slots=True)
class Score:
    """How the pairs of one or several worlds were found. Money in whole units of currency, exact."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    found_lost: Fraction = Fraction(0)
    true_lost: Fraction = Fraction(0)
    sure: list[tuple[float, bool]] = field(default_factory=list)  # of probable pairs: how sure, whether right

    @property
    def precision(self) -> float:
        """Of the pairs that were found, the share that is right."""
        return self.right / max(self.right + self.wrong, 1)

    @property
    def recall(self) -> float:
        """Of the pairs that there are, the share that was found."""
        return self.right / max(self.right + self.missed, 1)

    @property
    def error(self) -> float:
        """The lost total that was found against the true one: 0.01 is one per cent too much."""
        return float(self.found_lost / self.true_lost - 1) if self.true_lost else 0.0

    def add(self, other: "Score") -> None:
        """Count another world's pairs as well."""
        self.right += other.right
        self.wrong += other.wrong
        self.missed += other.missed
        self.found_lost += other.found_lost
        self.true_lost += other.true_lost
        self.sure += other.sure


def key_of(abort: TrueAbort) -> Key:
    """What names an abort's row. A proxy's request_id may repeat, so that the end belongs to it."""
    return abort.observer, abort.call_id, None if abort.ended_at is None else instant_us(abort.ended_at)


def found_by_key(config: Config) -> dict[Key, Row]:
    """The current verdicts by what names them."""
    return {(row["observer"], row["call_id"], row["ended_at_us"]): row for row in rows(config, "verdict_current")}


def score_each(worlds: Sequence[World], found: Mapping[Key, Row]) -> list[Score]:
    """One score a world, of rows that all of them stand among."""
    scores = [_score(world, found) for world in worlds]
    known = {key_of(abort) for world in worlds for abort in world.aborts}
    for key, row in found.items():
        if key not in known:
            _count_extra(worlds, scores, row)
    return scores


def _score(world: World, found: Mapping[Key, Row]) -> Score:
    score = Score()
    for abort in world.aborts:
        row = found.get(key_of(abort))
        completion = row["completion_id"] if row else None
        _count(score, completion, abort.completion_id)
        score.true_lost += abort.lost if abort.on_money_row else 0
        if row is not None:
            score.found_lost += Fraction(row["orphaned_nano"] or 0, NANO)
            if row["evidence"] == "probable":
                score.sure.append((row["match_probability"], completion == abort.completion_id))
    return score


def _count(score: Score, found: str | None, true: str | None) -> None:
    if found is not None and found == true:
        score.right += 1
        return
    score.wrong += found is not None
    score.missed += true is not None


def _count_extra(worlds: Sequence[World], scores: Sequence[Score], row: Row) -> None:
    """A row of no true abort belongs to the world that began last before it."""
    by_then_us = row["started_at_us"] + MINUTE_US  # clocks are off by less
    begun = [number for number, world in enumerate(worlds) if world.spec.start_us <= by_then_us]
    score = scores[max(begun, key=lambda number: worlds[number].spec.start_us)]
    score.wrong += row["completion_id"] is not None
    score.found_lost += Fraction(row["orphaned_nano"] or 0, NANO)


def total(scores: Iterable[Score]) -> Score:
    """All worlds as one."""
    whole = Score()
    for score in scores:
        whole.add(score)
    return whole


def told(name: str, scores: Sequence[Score]) -> str:
    """One line of text: what was reached over these worlds."""
    whole = total(scores)
    median = statistics.median(abs(score.error) for score in scores)
    return (
        f"{name}: {len(scores)} worlds, {whole.right + whole.missed} pairs, precision {whole.precision:.4f}, "
        f"recall {whole.recall:.4f}, lost total {whole.error:+.3%} in all, {median:.3%} in the median world"
    )


def calibration(sure: Iterable[tuple[float, bool]], edges: Sequence[float]) -> list[tuple[float, float, int]]:
    """For each bin of probabilities: the mean probability, the share that was right, and how many."""
    found = []
    kept = list(sure)
    for low, high in pairwise(edges):
        inside = [(p, right) for p, right in kept if low <= p < high]
        if inside:
            mean = statistics.fmean(p for p, _ in inside)
            found.append((mean, sum(right for _, right in inside) / len(inside), len(inside)))
    return found


@dataclass(frozen=True, slots=True)
class Interval:
    """One world's lost total as the window of a day tells it, and as it is. All in nano-units."""

    low_nano: int
    best_nano: int
    high_nano: int
    true_nano: Fraction

    @property
    def holds(self) -> bool:
        """Whether the truth lies between the bounds; half a nano-unit a row may be lost to rounding."""
        return self.low_nano - 1000 <= self.true_nano <= self.high_nano + 1000

    @property
    def width(self) -> float:
        """How far the bounds lie apart, as a share of the truth."""
        return float((self.high_nano - self.low_nano) / self.true_nano)


def interval_each(worlds: Sequence[World], config: Config) -> list[Interval]:
    """The bounds of each world's lost total, by the window that the metrics and the landing page show."""
    found = []
    with pipeline.reading(config) as (connection, values):
        for world in worlds:
            now_us = world.spec.start_us + DAY_US // 2
            windows = spend(connection, values, [Window("1d", now_us - DAY_US, now_us)])
            found_in = next(one for one in windows if one.currency == config.currency)
            low, best, high = found_in.low_nano, found_in.best_nano, found_in.high_nano
            lost = sum((abort.lost for abort in world.aborts if abort.on_money_row), Fraction(0))
            found.append(Interval(low, best, high, lost * NANO))
    return found


def fewest(of: int, share: float, risk: float = 0.01) -> int:
    """How many of `of` hold at least, but for a chance of `risk`, where each holds with probability `share`."""
    chance, held = 0.0, -1
    while chance <= risk:
        held += 1
        chance += comb(of, held) * share**held * (1 - share) ** (of - held)
    return held


def raced(desk: Desk, minute: float, monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The hours in the race of a run at that minute."""
    hours: set[int] = set()
    race = steps._race

    def watched(connection: Any, bound: Any) -> None:
        race(connection, bound)
        found = connection.execute("SELECT hour_at_us FROM probable_hour").fetchall()
        hours.update((hour_at_us - T0_US) // HOUR_US for (hour_at_us,) in found)

    with monkeypatch.context() as patch:
        patch.setattr(steps, "_race", watched)
        desk.run(minute)
    return hours
