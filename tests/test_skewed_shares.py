"""Shares of a stream by time, where the clocks of those who saw it left are off."""

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.helpers import Desk, Row, rows, settled, verdicts
from tests.matching import (
    fewest,
    found_by_key,
    interval_each,
    read_shuffled,
    read_whole,
    score_each,
    start_of,
    told,
    total,
)
from tests.world import WorldSpec, build
from tests.world_spec import APP, BACKEND, EDGE

UNCOUNTED = WorldSpec(seed=0, hours=1, calls=450, id_share=0.6, uncounted_share=1.0)


def _skewed(app_ms: int, edge_ms: int) -> WorldSpec:
    """Streams of which nobody counted a token, seen by clocks that are so far ahead."""
    return replace(UNCOUNTED, skew_ms=MappingProxyType({APP: app_ms, EDGE: edge_ms, BACKEND: 0}))


@pytest.mark.parametrize(("app_ms", "edge_ms"), [(150, 150), (1000, -1000), (-1500, 1500), (2000, 2000)])
def test_a_clock_that_is_off_does_not_move_the_lost_total(tmp_path: Path, app_ms: int, edge_ms: int) -> None:
    """The lost total of six worlds is within 2 % of the truth, whatever the clocks say, and the bounds hold it."""
    spec = _skewed(app_ms, edge_ms)
    worlds = [build(replace(spec, seed=seed, start=start_of(seed))) for seed in range(1, 7)]
    config = read_whole(worlds, tmp_path)
    scores = score_each(worlds, found_by_key(config))
    assert abs(total(scores).error) <= 0.02, told("skewed", scores)
    found = interval_each(worlds, config)
    assert sum(one.holds for one in found) >= fewest(len(found), 0.9)


def _figures(found: list[Row]) -> list[tuple[object, ...]]:
    """Verdicts by what they cost; the first byte and the ends that they rest on are learnt."""
    names = ("observer", "call_id", "completion_id", "orphaned_nano", "orphaned_low_nano", "orphaned_high_nano")
    return [tuple(row[name] for name in names) for row in found]


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_learnt_of_ends_does_not_depend_on_the_order_of_arrival(tmp_path: Path, seed: int) -> None:
    """Lines in an order of no sense, with a run after each part, end in the amounts of one run."""
    world = build(replace(_skewed(700, -700), seed=seed, hours=3, calls=240, log_first_byte=True))
    whole = settled(world, tmp_path / "whole")
    parts = read_shuffled(world, tmp_path / "parts", seed, runs=5)
    assert _figures(verdicts(parts)) == _figures(verdicts(whole))
    assert sorted(map(str, rows(parts, "end_learnt"))) == sorted(map(str, rows(whole, "end_learnt")))


def test_a_clock_that_is_learnt_later_moves_an_earlier_share(tmp_path: Path) -> None:
    """Exact matches that come a run later tell that the clock is a second off: the share is that of one run."""
    whole, parts = Desk(tmp_path / "whole"), Desk(tmp_path / "parts")
    lost = []
    for desk in (whole, parts):
        desk.started("c", 10)
        desk.ended("c", 10 + 5 / 60, output_tokens_received=None, bytes_received=None)
        desk.completion("c", 10 + 11 / 60, seconds=10)
    parts.run(600)
    lost.append(_lost(parts, "c"))
    for desk in (whole, parts):
        for number in range(10):
            desk.started(f"d{number}", 20 + number)
            desk.ended(f"d{number}", 20 + number + 5 / 60)
            desk.completion(f"d{number}", 20 + number + 11 / 60, seconds=10)
        desk.run(601)
        lost.append(_lost(desk, "c"))
    # received after one second by its own clock and left after five: of 2000 tokens some 4/10 had come, then 5/10
    assert lost == [1200 * 2500, 1000 * 2500, 1000 * 2500]


def test_the_way_is_no_clock(tmp_path: Path) -> None:
    """Receipts a tenth of a second after the starts are no reason to move an end."""
    desk = Desk(tmp_path)
    for number in range(11):
        counted: Row = {} if number else {"output_tokens_received": None, "bytes_received": None}
        desk.started(f"c{number}", 10 + number)
        desk.ended(f"c{number}", 10 + number + 5 / 60, **counted)
        desk.completion(f"c{number}", 10 + number + 10.1 / 60, seconds=10)
    desk.run(600)
    assert _lost(desk, "c0") == 1020 * 2500  # 4.9 of the 10 seconds had passed


def test_what_was_avoidable_is_told_by_the_same_clock(tmp_path: Path) -> None:
    """A clock a second ahead: after the abort came half of the answer, not the four tenths that it would say."""
    desk = Desk(tmp_path)
    for number in range(11):
        counted: Row = {} if number else {"output_tokens_received": None, "bytes_received": None}
        desk.started(f"c{number}", 10 + number + 1 / 60)
        desk.ended(f"c{number}", 10 + number + 6 / 60, **counted)
        desk.completion(f"c{number}", 10 + number + 10 / 60, seconds=10)
    desk.run(600)
    found = next(row for row in rows(desk.config, "verdict_current") if row["call_id"] == "c0")
    assert (found["orphaned_nano"], found["avoidable_nano"]) == (1000 * 2500, 1000 * 2500)


def _lost(desk: Desk, call_id: str) -> int:
    return next(int(row["orphaned_nano"]) for row in rows(desk.config, "verdict_current") if row["call_id"] == call_id)
