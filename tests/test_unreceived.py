"""Completions whose log tells no receipt, and calls that lie across the cut of two hours.

Such a completion races in the hour in which it finished, its call in the hour in which it began.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from collector.config import Config
from collector.correlate import steps
from collector.records import instant_us
from tests.helpers import HOUR_US, Desk, Row, at, rows, settled, verdicts
from tests.matching import fewest, found_by_key, key_of, raced, read_shuffled, read_whole, start_of
from tests.world import World, WorldSpec, build

Cuts = dict[tuple[str, int], int]  # of a model and a full hour


def _without_latency(world: World) -> World:
    """The same world whose backend's log does not tell how long a request took."""
    lines = tuple(line._replace(data=re.sub(rb'"latency": ?"[^"]*"', b'"x":1', line.data)) for line in world.lines)
    return replace(world, lines=lines)


def _busy(seed: int, **more: Any) -> World:
    """Calls that never pause over a full hour, a fifth of them left, no ids and no receipts."""
    spec = WorldSpec(seed=seed, hours=1, calls=900, id_share=0.0, abort_share=0.2, **more)
    return _without_latency(build(spec))


def _cuts_of(monkeypatch: pytest.MonkeyPatch) -> Cuts:
    """Where the races of the runs that follow part two hours."""
    found: Cuts = {}
    bunch = steps._race_bunch

    def watched(connection: Any, bound: Any) -> None:
        bunch(connection, bound)
        for model, border_us, cut_us in connection.execute("SELECT model, border_us, cut_us FROM hour_cut").fetchall():
            found[model, border_us] = cut_us

    monkeypatch.setattr(steps, "_race_bunch", watched)
    return found


def test_calls_across_the_cut_find_their_completions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine of ten aborts that began before a cut and whose work ended after it are found, as of all others."""
    cuts = _cuts_of(monkeypatch)
    worlds = [_busy(seed, start=start_of(seed)) for seed in range(1, 9)]
    found = found_by_key(read_whole(worlds, tmp_path))
    right: Counter[tuple[bool, bool]] = Counter()
    for world in worlds:
        for abort in world.aborts:
            if abort.finished_at is None:
                continue
            began_us, finished_us = instant_us(abort.started_at), instant_us(abort.finished_at)
            cut_us = cuts[abort.model, (finished_us + HOUR_US // 2) // HOUR_US * HOUR_US]
            row = found.get(key_of(abort))
            parted = began_us < cut_us <= finished_us
            right[parted, row is not None and row["completion_id"] == abort.completion_id] += 1
    across, within = ((right[parted, False] + right[parted, True]) for parted in (True, False))
    assert across >= 20
    assert right[True, True] >= fewest(across, 0.9), right
    assert right[False, True] / within >= 0.88, right


def _knowledge(config: Config) -> list[Row]:
    """The verdicts, with probabilities as they are shown."""
    found = verdicts(config)
    for row in found:
        if row["match_probability"] is not None:
            row["match_probability"] = round(row["match_probability"], 4)
    return found


@pytest.mark.parametrize("seed", [3, 4])
def test_calls_across_the_cut_end_alike_in_any_order(tmp_path: Path, seed: int) -> None:
    """Lines in an order of no sense, with a run after each part, end in the verdicts of one run."""
    world = _busy(seed)
    whole = settled(world, tmp_path / "whole")
    assert _knowledge(read_shuffled(world, tmp_path / "shuffled", seed, runs=6)) == _knowledge(whole)


def test_bunches_of_one_hour_end_alike_across_the_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours that are raced one by one have the matches of hours that are raced together."""
    world = _busy(5)
    whole = settled(world, tmp_path / "whole")
    monkeypatch.setattr(steps, "BUNCH_SUSPECTS", 1)
    assert _knowledge(settled(world, tmp_path / "parts")) == _knowledge(whole)


# By hand ------------------------------------------------------------------------------------------------

DELIVERED: Mapping[str, Any] = {
    "outcome": "delivered", "reason": None, "bytes_received": 9000, "output_tokens_received": 2000,
}  # fmt: skip


def _work(desk: Desk, name: str, minute: float, seconds: float | None = None) -> None:
    """An entry of the backend without any id but its own, and without a latency."""
    entry = {
        "insertId": f"i-{name}", "logName": "projects/acme/logs/inference", "timestamp": at(minute),
        "resource": {"labels": {"project_id": "acme"}},
        "jsonPayload": {
            "completion_id": name, "model": "acme-chat-1", "stream": True, "status": "ok",
            "usage": {"input_tokens": 1000, "output_tokens": 2000},
        },
    }  # fmt: skip
    latency = {} if seconds is None else {"httpRequest": {"latency": f"{seconds}s"}}
    desk.put("backend/a.jsonl", entry | latency)


def _left(desk: Desk, name: str, started: float, ended: float) -> None:
    desk.started(name, started, request_id=None)
    desk.ended(name, ended)


def _kept(desk: Desk, name: str, started: float, ended: float) -> None:
    desk.started(name, started, request_id=None)
    desk.ended(name, ended, **DELIVERED)


def _pairs(desk: Desk) -> dict[str, str]:
    return {row["call_id"]: row["completion_id"] for row in rows(desk.config, "verdict_current")}


def test_a_call_across_the_cut_is_found(tmp_path: Path) -> None:
    """Left before the full hour, or after it; by itself its work ends in the next hour."""
    desk = Desk(tmp_path)
    _left(desk, "before", 59.5, 59.9)
    _work(desk, "k", 60.4)
    _left(desk, "long", 3 * 60 - 1, 3 * 60 + 20)
    _work(desk, "l", 3 * 60 + 20.3)
    desk.run(1200)
    assert _pairs(desk) == {"before": "k", "long": "l"}


def test_a_completion_is_given_once_across_the_cut(tmp_path: Path) -> None:
    """Two calls left, one on each side of the cut, and one completion: one of them gets it, or none."""
    desk = Desk(tmp_path)
    _left(desk, "early", 59.6, 60.35)
    _left(desk, "late", 60.3, 60.35)
    _work(desk, "k", 60.4)
    desk.run(1200)
    assert sorted(_pairs(desk).values(), key=str) in ([None, "k"], [None, None])
    assert len(rows(desk.config, "chosen_match")) <= 1


def test_a_delivered_call_across_the_cut_owns_its_completion(tmp_path: Path) -> None:
    """A call that began before the cut and ended well with the completion keeps it from an abort after the cut."""
    desk = Desk(tmp_path)
    _kept(desk, "kept", 59.4, 60.4)
    _left(desk, "left", 60.3, 60.38)
    _work(desk, "k", 60.4)
    desk.run(1200)
    assert _pairs(desk) == {"left": None}


# Each case: what is there, and what comes a run later; near the cut at 60 minutes, but too far to move it.
LATE: Mapping[str, tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]] = {
    "the completion": ([(_left, "a", 58.3, 58.85)], [(_work, "k", 61.15)]),
    "the abort": ([(_work, "k", 61.15), (_left, "b", 70, 70.1)], [(_left, "a", 58.3, 58.85)]),
    "a nearer abort": (
        [(_work, "k", 61.15), (_left, "a", 58.3, 58.85), (_left, "b", 70, 70.1)], [(_left, "c", 61.05, 61.12)],
    ),
    "an earlier completion": ([(_work, "k", 61.15), (_left, "a", 58.3, 58.85)], [(_work, "j", 58.9)]),
    "the owner": ([(_work, "k", 61.15), (_left, "a", 58.3, 58.85)], [(_kept, "c", 58.2, 61.15)]),
    "the owner of an earlier completion": (
        [(_work, "k", 61.15), (_work, "j", 58.9), (_left, "a", 58.3, 58.85)], [(_kept, "c", 58.2, 58.9)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", LATE)
def test_what_comes_late_across_the_cut_ends_alike(tmp_path: Path, what: str) -> None:
    """Whatever comes a run later, on whichever side of the cut, the verdicts are those of one run."""
    first, second = LATE[what]
    whole, parts = Desk(tmp_path / "whole"), Desk(tmp_path / "parts")
    for desk in (whole, parts):
        for write, *told in first:
            write(desk, *told)
    parts.run(1200)
    before = _pairs(parts)
    for desk in (whole, parts):
        for write, *told in second:
            write(desk, *told)
        desk.run(1201)
    assert _knowledge(parts.config) == _knowledge(whole.config)
    assert _pairs(parts) != before


@pytest.mark.parametrize(
    ("minute", "seconds", "hours"), [(90.0, None, {1}), (115.0, None, {1, 2}), (115.0, 10.0, {1}), (122.0, None, {2})]
)
def test_only_an_hour_that_looks_back_is_raced_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minute: float, seconds: float | None, hours: set[int]
) -> None:
    """A late completion of unknown receipt opens its own hour, and the next where that looks back so far."""
    desk = Desk(tmp_path)
    for hour in range(4):
        for number in (5, 30, 45):
            _left(desk, f"c{hour}-{number}", 60 * hour + number, 60 * hour + number + 0.1)
            _work(desk, f"k{hour}-{number}", 60 * hour + number + 0.2, seconds and 12.0)
    desk.run(1200)
    assert raced(desk, 1201, monkeypatch) == set()
    _work(desk, "late", minute, seconds)
    assert raced(desk, 1202, monkeypatch) == hours
