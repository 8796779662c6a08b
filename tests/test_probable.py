"""Matching by time and size: how many pairs it finds, and how sure it is of them.

The worlds of a kind lie days apart in one ledger, so that one run reads them all. What was reached is
written to standard error (`pytest -s` shows it).
"""

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from random import Random
from statistics import median
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from collector.config import Config, load
from collector.correlate import steps
from collector.correlate.probable import score
from collector.records import instant_us
from tests.helpers import DAY_US, HOUR_US, T0_US, Desk, Row, at, rows, run, settled, verdicts
from tests.matching import (
    Key,
    Score,
    calibration,
    fewest,
    found_by_key,
    interval_each,
    raced,
    read_shuffled,
    read_whole,
    score_each,
    start_of,
    told,
    total,
)
from tests.world import World, WorldSpec, build, from_trace
from tests.world_spec import APP, BACKEND, EDGE

TRACE = Path(__file__).resolve().parent.parent / "collector/demo/azure_llm_inference_2023_code.csv"
SEEDS = range(1, 21)
CALLS = 450
HARD: Mapping[str, Any] = MappingProxyType({
    "delay_ms": 150.0, "delay_sigma": 0.7, "hint_share": 0.0, "uncounted_share": 1.0,
    "skew_ms": MappingProxyType({APP: 400, EDGE: -300, BACKEND: 0}),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Floor:
    """What a kind of world must reach: precision and recall of the pairs, error of the lost total."""

    precision: float
    recall: float
    error: float
    spec: Mapping[str, Any]
    by_trace: bool = False


FLOORS = {
    "60 % of ids, 5 calls/s, skew": Floor(
        0.985, 0.98, 0.01, {"id_share": 0.6, "skew_ms": MappingProxyType({APP: 150, EDGE: -150, BACKEND: 0})}
    ),
    "no ids, 5 calls/s": Floor(0.96, 0.95, 0.02, {"id_share": 0.0}),
    "50 % of ids, 30 calls/s": Floor(0.88, 0.83, 0.02, {"id_share": 0.5, "rate_per_s": 30.0}),
    "a real trace, 50 % of ids": Floor(0.97, 0.96, 0.015, {"id_share": 0.5}, by_trace=True),
}


@dataclass(frozen=True, slots=True)
class Reached:
    """Worlds of one kind, the ledger that read them, its rows, and one score a world."""

    name: str
    worlds: list[World]
    config: Config
    found: Mapping[Key, Row]
    scores: list[Score]


def _reach(name: str, worlds: list[World], directory: Path) -> Reached:
    config = read_whole(worlds, directory)
    found = found_by_key(config)
    reached = Reached(name, worlds, config, found, score_each(worlds, found))
    sys.stderr.write(f"\n{told(name, reached.scores)}\n")
    return reached


@pytest.fixture(scope="module", params=FLOORS)
def reached(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reached:
    """One kind of world, twenty seeds of it."""
    floor = FLOORS[request.param]
    specs = [WorldSpec(seed=s, start=start_of(s), hours=1, calls=CALLS, **floor.spec) for s in SEEDS]
    worlds = [from_trace(TRACE, spec) if floor.by_trace else build(spec) for spec in specs]
    return _reach(request.param, worlds, tmp_path_factory.mktemp("reached"))


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Reached:
    """Worlds that no one can see through: wide delays, clocks far off, nothing counted, 60 calls a second."""
    models = WorldSpec(seed=0).models[:1]
    wide = WorldSpec(seed=0, hours=1, calls=CALLS, id_share=0.5, rate_per_s=60.0, models=models, **HARD)
    worlds = [build(replace(wide, seed=seed, start=start_of(seed))) for seed in SEEDS]
    return _reach("hard", worlds, tmp_path_factory.mktemp("hard"))


def test_pairs_are_found(reached: Reached) -> None:
    """Over twenty seeds, precision and recall of the pairs reach the floor of their kind of world."""
    floor, whole = FLOORS[reached.name], total(reached.scores)
    assert whole.precision >= floor.precision, told(reached.name, reached.scores)
    assert whole.recall >= floor.recall, told(reached.name, reached.scores)


def test_lost_total_is_near_the_truth(reached: Reached) -> None:
    """The lost total of twenty seeds together, and of the median seed, is off by no more than the floor."""
    floor = FLOORS[reached.name]
    errors = sorted(abs(score.error) for score in reached.scores)
    assert abs(total(reached.scores).error) <= floor.error, told(reached.name, reached.scores)
    assert errors[len(errors) // 2] <= floor.error, told(reached.name, reached.scores)


def test_bounds_hold_the_truth(reached: Reached) -> None:
    """The 90 % interval of a lost total holds the truth as often as chance allows, and is not lazily wide."""
    found = interval_each(reached.worlds, reached.config)
    held, width = sum(one.holds for one in found), median(one.width for one in found)
    sys.stderr.write(f"\n{reached.name}: bounds hold {held} of {len(found)}, median width {width:.1%}\n")
    assert held >= fewest(len(found), 0.9)
    assert width <= 0.12


def test_bounds_hold_the_truth_where_pairs_are_hard(hard: Reached) -> None:
    """Where many pairs are wrong and no share is known but by time, the interval holds the truth all the same."""
    found = interval_each(hard.worlds, hard.config)
    assert sum(one.holds for one in found) >= fewest(len(found), 0.9)
    assert median(one.width for one in found) <= 0.8


def test_one_completion_serves_one_attempt(reached: Reached) -> None:
    """No completion stands on two rows of one observer, and its lost part stands on one row at most."""
    _assert_one_to_one(reached.config)


def test_one_completion_serves_one_attempt_where_pairs_are_hard(hard: Reached) -> None:
    """The same holds where many calls want the same completion."""
    _assert_one_to_one(hard.config)


def _assert_one_to_one(config: Config) -> None:
    observers: Counter[tuple[str, str]] = Counter()
    money: Counter[str] = Counter()
    for row in rows(config, "verdict_current"):
        if row["completion_id"]:
            observers[row["completion_id"], row["observer"]] += 1
            money[row["completion_id"]] += bool(row["orphaned_nano"])
    attempts: dict[str | None, set[int]] = defaultdict(set)
    for row in rows(config, "chosen_match"):
        attempts[row["completion_id"]].add(row["attempt_no"])
    assert observers
    assert max(observers.values()) == 1
    assert max(money.values()) == 1
    attempts.pop(None, None)
    assert all(len(of) == 1 for of in attempts.values())


def test_probability_is_calibrated(hard: Reached) -> None:
    """Where pairs are hard, of a hundred pairs at some probability about as many are right."""
    sure = total(hard.scores).sure
    bins = calibration(sure, (0.5, 0.7, 0.9, 0.98, 1.01))
    for mean, share, count in bins:
        sys.stderr.write(f"\n{mean:.3f} said, {share:.3f} right, of {count}")
    assert sum(count for _, _, count in bins) >= 300
    for mean, share, count in bins:
        # two standard errors, and as much as a model of the delays may be wrong about them
        assert abs(share - mean) <= 2 * (mean * (1 - mean) / count) ** 0.5 + 0.07, bins


def test_pairs_that_are_called_sure_are_right(hard: Reached) -> None:
    """Of the pairs said to be right with nine in ten or more, no more are wrong than that leaves open."""
    sure = [(said, right) for said, right in total(hard.scores).sure if said >= 0.9]
    expected = sum(1 - said for said, _ in sure)
    wrong = sum(not right for _, right in sure)
    sys.stderr.write(f"\nsure pairs: {wrong} wrong of {len(sure)}, {expected:.1f} expected")
    assert len(sure) >= 200
    assert wrong <= expected + 3 * expected**0.5 + 1


def test_pairs_are_found_where_clocks_are_far_off(hard: Reached) -> None:
    """The hard worlds keep a precision and a recall that nearest-in-time is far from."""
    whole = total(hard.scores)
    assert whole.precision >= 0.9
    assert whole.recall >= 0.85


def test_no_pair_below_the_threshold(hard: Reached) -> None:
    """A pair is on record as probable only with a probability of one half or more, an exact one with 1."""
    for row in hard.found.values():
        if row["evidence"] == "probable":
            assert 0.5 <= row["match_probability"] <= 1.0
        elif row["evidence"] == "exact":
            assert row["match_probability"] == 1.0
        else:
            assert row["match_probability"] is None


def test_a_clock_far_off_is_found_without_ids(tmp_path: Path) -> None:
    """With no id at all and observers a second late, the hour's own peak tells it, and pairs are found."""
    skew = MappingProxyType({APP: 1000, EDGE: 1000, BACKEND: 0})
    late = WorldSpec(seed=0, hours=1, calls=500, id_share=0.0, skew_ms=skew)
    worlds = [build(replace(late, seed=seed, start=start_of(seed))) for seed in range(1, 6)]
    whole = total(_reach("clients a second late, no ids", worlds, tmp_path).scores)
    assert whole.precision >= 0.96
    assert whole.recall >= 0.95


@pytest.mark.parametrize(("rate", "ids", "precision", "recall"), [(1.0, 0.5, 0.985, 0.97), (5.0, 0.0, 0.96, 0.92)])
def test_pairs_are_found_where_no_receipt_is_known(
    tmp_path: Path, rate: float, ids: float, precision: float, recall: float
) -> None:
    """A completion log without latencies is matched by its finishes, nearly as well."""
    spec = WorldSpec(seed=0, hours=1, calls=CALLS, id_share=ids, rate_per_s=rate)
    worlds = [_without_latency(build(replace(spec, seed=seed, start=start_of(seed)))) for seed in range(1, 7)]
    whole = total(_reach(f"no latency, {rate}/s, {ids:.0%} of ids", worlds, tmp_path).scores)
    assert whole.precision >= precision
    assert whole.recall >= recall


def _without_latency(world: World) -> World:
    """The same world whose backend's log does not tell how long a request took."""
    lines = tuple(line._replace(data=re.sub(rb'"latency": ?"[^"]*"', b'"x":1', line.data)) for line in world.lines)
    return replace(world, lines=lines)


# Order of arrival ---------------------------------------------------------------------------------------


@pytest.fixture(
    scope="module",
    params=[("no ids", 1), ("hard", 2)],
    ids=lambda case: f"{case[0]}-seed{case[1]}",
)
def once(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Config]:
    """A world whose bursts lie across full hours, and a ledger that read all of it in one run."""
    kind, seed = request.param
    spec = WorldSpec(seed=seed, hours=3, calls=240, id_share=0.0)
    world = build(spec if kind == "no ids" else replace(spec, id_share=0.4, rate_per_s=30.0, **HARD))
    return world, settled(world, tmp_path_factory.mktemp("once"))


def _knowledge(config: Config) -> list[Row]:
    """The verdicts, with probabilities as they are shown: sums of floats may differ in their last digits."""
    found = verdicts(config)
    for row in found:
        if row["match_probability"] is not None:
            row["match_probability"] = round(row["match_probability"], 4)
    return found


def test_order_of_arrival_does_not_matter(once: tuple[World, Config], tmp_path: Path) -> None:
    """Lines in an order of no sense, with a run after each part, end in the verdicts of one run."""
    world, whole = once
    shuffled = read_shuffled(world, tmp_path, world.spec.seed, runs=4)
    assert _knowledge(shuffled) == _knowledge(whole)


def test_lines_as_they_come_end_like_one_run(once: tuple[World, Config], tmp_path: Path) -> None:
    """The lines in the order in which they were written, in four runs, end in the matches of one run."""
    world, whole = once
    for number in range(1, 5):
        share = number / 4
        config_path = world.write(tmp_path, share)
        at_us = world.lines[round(len(world.lines) * share) - 1].arrives_us + 1_000_000
        config = _run_at(config_path, at_us if number < 4 else instant_us(world.as_of))
    assert _knowledge(config) == _knowledge(whole)


def _run_at(config_path: Path, now_us: int) -> Config:
    config = load(config_path)
    run(config, now_us)
    return config


def test_a_second_run_changes_nothing(once: tuple[World, Config]) -> None:
    """Another run a day later writes no version of any verdict, and keeps every match as it was."""
    world, config = once
    matches = sorted(map(str, rows(config, "chosen_match")))
    for day in (1, 2):
        summary = run(config, instant_us(world.as_of) + day * DAY_US)
        assert summary.counts["verdicts_changed"] == 0
    assert sorted(map(str, rows(config, "chosen_match"))) == matches


# What is drawn again ------------------------------------------------------------------------------------


def _work(desk: Desk, name: str, minute: float, *, seconds: float | None = 12, **more: Any) -> None:
    """An entry of the backend without any id but its own; with `seconds` None it tells no latency."""
    payload = {
        "completion_id": name, "model": "acme-chat-1", "stream": True, "status": "ok",
        "usage": {"input_tokens": 1000, "output_tokens": 2000}, **more,
    }  # fmt: skip
    entry: dict[str, Any] = {
        "insertId": f"i-{name}", "logName": "projects/acme/logs/inference", "timestamp": at(minute),
        "resource": {"labels": {"project_id": "acme"}}, "jsonPayload": payload,
    }  # fmt: skip
    latency = {} if seconds is None else {"httpRequest": {"latency": f"{seconds}s"}}
    desk.put("backend/a.jsonl", entry | latency)


def _hand(tmp_path: Path, hours: int = 3, **changes: Any) -> Desk:
    """An hour or several with four calls each that no id joins, one of them left; all of them have ended."""
    desk = Desk(tmp_path, **changes)
    for hour in range(hours):
        for number in range(4):
            minute = 60 * hour + 10 * number + 5
            left = number == 2
            desk.started(f"c{hour}-{number}", minute, request_id=None)
            desk.ended(f"c{hour}-{number}", minute + (0.1 if left else 0.2), **({} if left else DELIVERED))
            if not (hour == 1 and left):
                _work(desk, f"k{hour}-{number}", minute + 0.2)
    return desk


DELIVERED: Mapping[str, Any] = MappingProxyType({
    "outcome": "delivered", "reason": None, "bytes_received": 9000, "output_tokens_received": 2000,
})  # fmt: skip


def _hours_drawn(config: Config) -> set[int]:
    """The hours that the last run drew matches for again, as it left them behind."""
    run_id = max(row["run_id"] for row in rows(config, "run"))
    drawn = [row for row in rows(config, "verdict") if row["run_id"] == run_id]
    return {(row["started_at_us"] - T0_US) // HOUR_US for row in drawn}


def _verdict_counts(config: Config) -> Counter[str]:
    return Counter(row["verdict"] for row in rows(config, "verdict_current"))


def test_a_late_completion_touches_its_own_hour_only(tmp_path: Path) -> None:
    """A completion that comes late gives its abort a verdict; no other hour's verdict gets a new version."""
    desk = _hand(tmp_path)
    desk.run(600)
    assert _verdict_counts(desk.config) == {"orphaned": 2, "unmatched": 1}
    _work(desk, "k1-2", 60 + 25.2)
    desk.run(601)
    assert _hours_drawn(desk.config) == {1}
    assert _verdict_counts(desk.config) == {"orphaned": 3}


def test_a_late_abort_touches_its_own_hour_only(tmp_path: Path) -> None:
    """An abort that comes late is matched; no other hour's verdict gets a new version."""
    desk = _hand(tmp_path)
    _work(desk, "k2-9", 120 + 50.2)
    desk.run(600)
    desk.started("c2-9", 120 + 50, request_id=None)
    desk.ended("c2-9", 120 + 50.1)
    desk.run(601)
    assert _hours_drawn(desk.config) == {2}
    found = {row["call_id"]: row for row in rows(desk.config, "verdict_current")}
    assert found["c2-9"]["completion_id"] == "k2-9"


def test_only_touched_hours_are_raced_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the hour that a late completion touches comes into the race again."""
    desk = _hand(tmp_path)
    desk.run(600)
    _work(desk, "k1-2", 60 + 25.2)
    assert raced(desk, 601, monkeypatch) == {1}
    assert raced(desk, 602, monkeypatch) == set()


def test_an_end_in_the_next_hour_that_comes_late_counts(tmp_path: Path) -> None:
    """A delivered call's end, an hour and a run after its start, draws its start's hour again."""

    def lines(desk: Desk) -> None:
        desk.started("left", 59.8, request_id=None)
        desk.ended("left", 59.9)
        desk.started("kept", 59.8005, request_id=None)
        _work(desk, "k", 63.8, seconds=240)

    whole, parts = Desk(tmp_path / "whole"), Desk(tmp_path / "parts")
    for desk in (whole, parts):
        lines(desk)
    parts.run(64)
    for desk in (whole, parts):
        desk.ended("kept", 63.8, **DELIVERED)
        desk.run(600)
    assert _knowledge(parts.config) == _knowledge(whole.config)


def test_an_exact_match_taken_back_teaches_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an id's pair goes to a better call, the 24 hours that had learnt from the first are drawn again."""
    desk = Desk(tmp_path)
    desk.started("first", 30, request_id="one")
    desk.ended("first", 30.1)
    desk.completion("one", 31.2, seconds=12)
    desk.started("left", 26 * 60 + 30, request_id=None)
    desk.ended("left", 26 * 60 + 30.1)
    desk.started("lone", 20 * 60 + 30, request_id=None)
    desk.ended("lone", 20 * 60 + 30.1)
    desk.run(3000)
    assert raced(desk, 3001, monkeypatch) == set()
    desk.started("second", 31, request_id="one")
    desk.ended("second", 31.2, **DELIVERED)
    assert raced(desk, 3002, monkeypatch) == {0, 20}


def test_what_lies_near_a_full_hour_opens_both_hours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A completion received half a minute after a full hour moves the cut there: both hours are raced again."""
    desk = _hand(tmp_path)
    desk.run(600)
    _work(desk, "late", 60.7)
    assert raced(desk, 601, monkeypatch) == {0, 1}


def test_dense_calls_across_a_full_hour_end_alike(tmp_path: Path) -> None:
    """Two observers, ids for half, calls that never pause over a full hour: the order of arrival decides nothing."""
    spec = WorldSpec(
        seed=5, hours=2, calls=300, id_share=0.5, rate_per_s=40.0, proxy_share=0.8, skew_ms=HARD["skew_ms"]
    )
    world = build(spec)
    whole = settled(world, tmp_path / "whole")
    assert _knowledge(read_shuffled(world, tmp_path / "shuffled", 5, runs=5)) == _knowledge(whole)


def test_completions_of_unknown_receipt_end_alike(tmp_path: Path) -> None:
    """Where no receipt is known, the order of arrival decides nothing either."""
    world = _without_latency(build(WorldSpec(seed=3, hours=2, calls=240, id_share=0.3)))
    whole = settled(world, tmp_path / "whole")
    assert _knowledge(read_shuffled(world, tmp_path / "shuffled", 3, runs=4)) == _knowledge(whole)


def test_an_inner_abort_without_a_pair_stays_on_the_outer_row(tmp_path: Path) -> None:
    """Client and proxy saw one abort that found and lost a completion: it still counts once, as in one run."""
    whole, parts = Desk(tmp_path / "whole"), Desk(tmp_path / "parts")
    for desk in (whole, parts):
        _left_at_both(desk, "left", 10)
        _work(desk, "k", 10.2)
    parts.run(600)
    assert {row["completion_id"] for row in rows(parts.config, "verdict_current")} == {"k"}
    for desk in (whole, parts):
        desk.started("kept", 10, request_id=None)
        desk.ended("kept", 10.2, **DELIVERED)
        desk.run(601)
    assert _knowledge(parts.config) == _knowledge(whole.config)
    assert [row["money_row"] for row in rows(parts.config, "verdict_current")].count(True) == 1


def test_a_call_of_hours_is_seen_alike_however_many_hours_are_drawn(tmp_path: Path) -> None:
    """A completion that worked for longer than any call that races is nobody's, in one run and in parts."""
    whole, parts = Desk(tmp_path / "whole"), Desk(tmp_path / "parts")
    for desk in (whole, parts):
        desk.started("left", 58, request_id=None)
        desk.ended("left", 58.1)
        for hour in (1, 2):
            desk.started(f"c{hour}", 60 * hour + 30, request_id=None)
            desk.ended(f"c{hour}", 60 * hour + 30.1)
    parts.run(600)
    for desk in (whole, parts):
        _work(desk, "k", 58 + 125, seconds=125 * 60)
        desk.run(601)
    assert _knowledge(parts.config) == _knowledge(whole.config)


def test_hours_are_raced_in_bounded_bunches() -> None:
    """A bunch ends where its suspects would be too many, or after a silence; no hour is left out."""
    hour, many = HOUR_US, steps.BUNCH_SUSPECTS
    assert steps.bunches([]) == []
    assert steps.bunches([(0, 1), (hour, 1), (2 * hour, many)]) == [(0, hour), (2 * hour, 2 * hour)]
    assert steps.bunches([(0, 1), (7 * hour, 1), (13 * hour, 1)]) == [(0, 0), (7 * hour, 13 * hour)]


def test_small_bunches_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours that are raced one by one have the matches of hours that are raced together."""
    world = build(WorldSpec(seed=4, hours=3, calls=240, id_share=0.3, rate_per_s=20.0))
    whole = settled(world, tmp_path / "whole")
    monkeypatch.setattr(steps, "BUNCH_SUSPECTS", 1)
    assert _knowledge(settled(world, tmp_path / "parts")) == _knowledge(whole)


# Scores -------------------------------------------------------------------------------------------------


def _edges(*, off_us: float, hour_us: int = 0) -> dict[str, Any]:
    """Pairs of calls that begin together and end `off_us` apart, by an observer whose ends are late by as much.

    By raw clocks the first of each pair ends when the completion of the second does. Calls between the
    pairs, which have no rival, tell how late the observer is.
    """
    table: dict[str, list[float]] = defaultdict(list)
    for number in range(60):
        paired = number % 3 == 0
        for call, completion in product((0, 1), repeat=2) if paired else [(0, 0)]:
            told = {
                "attempt_no": 2 * number + call, "completion_no": 2 * number + completion,
                "delay_us": 50_000, "over_us": (completion - call - 1) * off_us,
            }  # fmt: skip
            for name in EDGE_COLUMNS:
                table[name].append(told.get(name, EDGE_COLUMNS[name]))
    return {name: np.array(values) for name, values in table.items()} | {
        "hour_at_us": np.full(len(table["pairs"]), hour_us)
    }


EDGE_COLUMNS: Mapping[str, float] = MappingProxyType({
    "attempt_no": 0, "completion_no": 0, "hour_at_us": 0, "source_no": 1, "pairs": 20, "delay_us": 0,
    "shift_us": 50_000, "scale_us": 20_000, "block_completions": 80, "outcome": 1, "status": 0, "over_us": 0,
    "span_us": 5e6, "first_byte_known": 0, "stream_same": 1, "input_gap": float("nan"), "input_tokens": 1000,
    "tokens_received": float("nan"), "output_tokens": 100, "counted_whole": 0, "ids_differ": 0,
    "is_suspect": 1,
})  # fmt: skip


def test_ends_are_scored_by_the_clock_that_they_show() -> None:
    """An observer whose ends are all late by 0.6 s is seen through, although raw clocks say the reverse."""
    edges = _edges(off_us=600_000)
    scored = score(edges)
    right = edges["attempt_no"] == edges["completion_no"]
    assert (scored.chosen == right).all()
    assert scored.probability[right].min() > 0.9


def test_an_hour_is_scored_alike_beside_another() -> None:
    """What is said of an hour does not depend on which other hours are drawn in the same run."""
    one, other = _edges(off_us=600_000), _edges(off_us=20_000, hour_us=HOUR_US)
    both = {name: np.concatenate([other[name], one[name]]) for name in one}
    alone, beside = score(one), score(both)
    assert (beside.probability[-len(one["pairs"]) :] == alone.probability).all()
    assert (beside.chosen[-len(one["pairs"]) :] == alone.chosen).all()


# Cases by hand ------------------------------------------------------------------------------------------


def _pair(desk: Desk, minute: float = 10.0, *, delay_s: float = 0.05, **more: Any) -> Row:
    """The row of a call that no id joins, left after six of its completion's twelve seconds."""
    desk.started("left", minute, **({"request_id": None} | more))
    desk.ended("left", minute + 0.1)
    _work(desk, "k", minute + 0.2 + delay_s / 60)
    desk.run(600)
    (row,) = rows(desk.config, "verdict_current")
    return row


def test_a_lone_pair_is_probable(tmp_path: Path) -> None:
    """One abort and one completion that fit are joined as probable, and nearly sure."""
    row = _pair(Desk(tmp_path))
    assert (row["completion_id"], row["evidence"], row["verdict"]) == ("k", "probable", "orphaned")
    assert row["match_probability"] > 0.9


def test_a_pair_across_a_full_hour(tmp_path: Path) -> None:
    """A call that starts just before a full hour finds the completion that was received just after it."""
    assert _pair(Desk(tmp_path), 60 - 0.0005)["completion_id"] == "k"


def test_the_client_need_not_know_its_account(tmp_path: Path) -> None:
    """A call whose log names no account takes its completion's."""
    row = _pair(Desk(tmp_path), account=None)
    assert (row["completion_id"], row["account"]) == ("k", "acme")


def test_another_account_is_another_block(tmp_path: Path) -> None:
    """A call of one account is never joined to a completion of another."""
    assert _pair(Desk(tmp_path), account="other")["verdict"] == "unmatched"


def test_another_model_is_another_block(tmp_path: Path) -> None:
    """A call of one model is never joined to a completion of another."""
    assert _pair(Desk(tmp_path), model="acme-chat-2")["verdict"] == "unmatched"


def test_a_completion_minutes_away_is_none(tmp_path: Path) -> None:
    """A completion that was received minutes after the start is not the call's."""
    assert _pair(Desk(tmp_path), delay_s=150.0)["verdict"] == "unmatched"


def test_the_client_s_id_need_not_reach_the_backend(tmp_path: Path) -> None:
    """A client's id that no backend ever logs says nothing against the pair."""
    assert _pair(Desk(tmp_path), request_id="mine")["completion_id"] == "k"


def test_ids_of_two_systems_do_not_speak_against_pairs(tmp_path: Path) -> None:
    """Where clients and backend number their requests each for itself, ids that differ say nothing."""
    desk = Desk(tmp_path)
    for number in range(20):
        minute = 2 * number
        desk.started(f"mine-{number}", minute)
        desk.ended(f"mine-{number}", minute + 0.1)
        desk.completion(f"theirs-{number}", minute + 0.2, seconds=12)
    desk.run(600)
    found = rows(desk.config, "verdict_current")
    assert [row["match_probability"] > 0.9 for row in found if row["completion_id"]] == [True] * 20


def test_a_delivered_call_takes_its_completion_out_of_the_race(tmp_path: Path) -> None:
    """Of two calls at one instant the delivered one, which ends with the completion, has it."""
    desk = Desk(tmp_path)
    desk.started("kept", 10, request_id=None)
    desk.ended("kept", 10.2, **DELIVERED)
    desk.started("left", 10, request_id=None)
    desk.ended("left", 10.1)
    _work(desk, "k", 10.2)
    desk.run(600)
    (row,) = rows(desk.config, "verdict_current")
    assert (row["verdict"], row["completion_id"]) == ("unmatched", None)


def test_two_completions_alike_are_not_sure(tmp_path: Path) -> None:
    """One abort and two completions that fit equally well: no pair is more than half sure."""
    desk = Desk(tmp_path)
    desk.started("left", 10, request_id=None)
    desk.ended("left", 10.1)
    for name in ("k1", "k2"):
        _work(desk, name, 10.2)
    desk.run(600)
    (row,) = rows(desk.config, "verdict_current")
    assert row["match_probability"] is None or row["match_probability"] <= 0.5


def test_a_vanished_call_is_matched(tmp_path: Path) -> None:
    """A call whose process never reported again finds its completion by its start alone."""
    desk = Desk(tmp_path)
    desk.started("gone", 10, request_id=None)
    _work(desk, "k", 10.2)
    desk.run(600)
    (row,) = rows(desk.config, "verdict_current")
    assert (row["reason"], row["verdict"], row["completion_id"]) == ("vanished", "orphaned", "k")


def test_a_failed_call_whose_backend_went_well_is_an_abort(tmp_path: Path) -> None:
    """A call that failed for its client, and that a completion fits that went well, is an abort."""
    desk = Desk(tmp_path)
    desk.started("bad", 10, request_id=None)
    desk.ended("bad", 10.2, outcome="failed", reason=None, status_code=502)
    _work(desk, "k", 10.2)
    desk.run(600)
    (row,) = rows(desk.config, "verdict_current")
    assert (row["reason"], row["completion_id"], row["evidence"]) == ("error", "k", "probable")


def test_a_completion_of_unknown_receipt_is_matched_by_its_end(tmp_path: Path) -> None:
    """A completion whose log tells no latency is found by when it finished."""
    desk = Desk(tmp_path)
    desk.started("left", 10, request_id=None)
    desk.ended("left", 10.1)
    _work(desk, "k", 10.2, seconds=None)
    desk.run(600)
    (row,) = rows(desk.config, "verdict_current")
    assert row["completion_id"] == "k"


def _left_at_both(desk: Desk, name: str, minute: float) -> None:
    """A call that client and proxy saw left after six seconds, under an id that no backend logs."""
    desk.started(name, minute)
    desk.ended(name, minute + 0.1)
    desk.put("nginx/a.json", {
        "msec": f"{T0_US / 1e6 + 60 * minute + 6:.3f}", "request_id": name, "request_method": "POST",
        "request_uri": "/v1/models/acme-chat-1:streamGenerateContent", "status": "499",
        "request_time": "5.990",
        "bytes_sent": "0", "request_completion": "", "upstream_status": "-", "upstream_header_time": "-",
        "upstream_response_time": "5.990", "upstream_bytes_received": "0", "http_x_request_id": name,
    })  # fmt: skip


def test_two_observers_of_one_call_race_as_one(tmp_path: Path) -> None:
    """Client and proxy share an id that no backend logs: both rows get one completion, one the money."""
    desk = Desk(tmp_path)
    _left_at_both(desk, "left", 10)
    _work(desk, "k", 10.2)
    desk.run(600)
    found = {row["observer"]: row for row in rows(desk.config, "verdict_current")}
    assert {row["completion_id"] for row in found.values()} == {"k"}
    assert (found[APP]["money_row"], found[EDGE]["money_row"]) == (True, False)


def test_nothing_visible_means_nothing_delivered(tmp_path: Path) -> None:
    """A stream that the backend stopped before its first visible token is lost whole."""
    desk = Desk(tmp_path)
    desk.started("left", 10)
    desk.ended("left", 10.1)
    usage = {"input_tokens": 1000, "output_tokens": 0}
    desk.completion("left", 10.101, seconds=6, status="cancelled", usage=usage)
    desk.run(600)
    (row,) = rows(desk.config, "verdict_current")
    assert (row["verdict"], row["orphaned_nano"]) == ("cut_short", row["cost_nano"])


def test_garbage_between_the_lines_changes_no_match(tmp_path: Path) -> None:
    """Lines that are no records, and records with senseless times or sizes, leave the matches as they are."""
    rng = Random(7)
    clean, noisy = _hand(tmp_path / "clean"), _hand(tmp_path / "noisy")
    for number in range(30):
        noisy.put("client/a.jsonl", bytes(rng.randrange(32, 127) for _ in range(40)))
        noisy.started(f"odd{number}", 40 + number, request_id=None, model=None)
        _work(noisy, f"odd{number}", 40 + number, seconds=-1, model="acme-odd")
        noisy.ended(f"never-started-{number}", 40 + number)
    for desk in (clean, noisy):
        desk.run(600)
    assert _matched(clean) == _matched(noisy)
    assert len(_matched(clean)) == 2


def _matched(desk: Desk) -> set[tuple[str, str]]:
    found = rows(desk.config, "verdict_current")
    return {(row["call_id"], row["completion_id"]) for row in found if row["completion_id"]}


def test_the_chosen_pair_is_among_the_rivals(hard: Reached) -> None:
    """What is kept for `explain` names the chosen completion, with the probability on record."""
    chosen = {row["suspect_no"]: row for row in rows(hard.config, "rival") if row["chosen"]}
    probable = [row for row in hard.found.values() if row["evidence"] == "probable"]
    assert probable
    for row in probable:
        rival = chosen[row["suspect_no"]]
        assert rival["completion_id"] == row["completion_id"]
        assert rival["probability"] == row["match_probability"]


def test_what_was_learnt_is_on_record(reached: Reached) -> None:
    """Each observer's delay is kept by the hour, as far as exact matches taught it."""
    learnt = Counter((row["source"], row["hour_at_us"]) for row in rows(reached.config, "delay_learnt"))
    assert set(learnt.values()) == {1}
    assert {source for source, _ in learnt} == {APP, EDGE}
