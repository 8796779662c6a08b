"""Runs that follow one another: however the same lines arrive, the ledger ends up knowing the same, once.

Counters, settled buckets and what was known earlier are watched on the way.
"""

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from collector.config import Config, load
from collector.problems import UsageError
from collector.records import instant_us
from tests.helpers import (
    DAY_US,
    MINUTE_US,
    T0_US,
    Desk,
    Row,
    buckets,
    counters,
    looking,
    lost_now,
    net_spend,
    problems,
    rows,
    run,
    settled,
    source_counts,
    verdicts,
)
from tests.world import World, WorldSpec, build
from tests.world_spec import APP, BACKEND, BILL, EDGE, JOBS

CALLS, SLICES = 250, 5
HOUR_MIN, DAY_MIN = 60, 1440
ROOT = Path(__file__).resolve().parent.parent


def _spec(kind: str, seed: int) -> WorldSpec:
    if kind == "clean":
        return WorldSpec(seed=seed, calls=CALLS, hours=2)
    if kind == "partial":
        return WorldSpec(seed=seed, calls=CALLS, hours=2, bill="partial", unlogged_share=0.1)
    if kind == "daily":
        return WorldSpec(seed=seed, calls=CALLS, hours=2, daily=True, bill="corrected")
    if kind == "start":
        return WorldSpec(seed=seed, calls=300, hours=5, bill_by="start", abort_share=0.2)
    return WorldSpec.rough(seed, calls=CALLS, hours=2, jobs=28 if kind == "jobs" else 0)


def _slices(world: World, count: int) -> Iterator[tuple[float, int]]:
    """Growing shares of the world's lines, each with an instant at which exactly these had arrived."""
    for number in range(1, count):
        share = number / count
        yield share, world.lines[round(len(world.lines) * share) - 1].arrives_us + 1_000_000
    yield 1.0, instant_us(world.as_of)


def _settle_mtimes(directory: Path, at_us: int) -> None:
    """Let every file have been written at the run's own now: the world's clock is not the machine's."""
    for path in directory.rglob("*"):
        if path.is_file() and path.suffix != ".duckdb":
            os.utime(path, ns=(at_us * 1000, at_us * 1000))


@dataclass(frozen=True)
class Known:
    """What a ledger showed after one run."""

    at_us: int
    verdicts: list[Row]
    buckets: list[Row]
    counters: dict[tuple[str, ...], int]
    problems: Counter[tuple[str, str]]


@dataclass(frozen=True)
class Told:
    """A world; a ledger that read it in one run; another that read it in slices, and what that showed."""

    world: World
    whole: Config
    sliced: Config
    known: list[Known]


WORLDS = [("clean", 1), ("rough", 3), ("rough", 4), ("partial", 6), ("daily", 7), ("start", 1), ("jobs", 9)]


@pytest.fixture(scope="module", params=WORLDS, ids=lambda case: f"{case[0]}-seed{case[1]}")
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A world told at once and in slices, torn lines and all."""
    world = build(_spec(*request.param))
    whole = settled(world, tmp_path_factory.mktemp("whole"))
    directory = tmp_path_factory.mktemp("sliced")
    known = []
    for share, at_us in _slices(world, SLICES):
        config = load(world.write(directory, share, torn=share < 1))
        _settle_mtimes(directory, at_us)
        run(config, at_us)
        known.append(_known(config, at_us))
    return Told(world, whole, config, known)


def _known(config: Config, at_us: int, as_of_us: int | None = None) -> Known:
    with looking(config, as_of_us) as ledger:
        return Known(at_us, verdicts(ledger), buckets(ledger), counters(ledger), problems(ledger))


def test_slices_end_like_one_run(told: Told) -> None:
    """Files that grow, torn lines and all, with a run after each slice, end in the same figures."""
    for source in (APP, EDGE, BACKEND, BILL, JOBS):
        assert source_counts(told.sliced, source) == source_counts(told.whole, source)
    assert verdicts(told.sliced) == verdicts(told.whole)
    assert buckets(told.sliced) == buckets(told.whole)


def test_files_in_any_order_end_like_one_run(told: Told, tmp_path: Path) -> None:
    """Whole files that arrive in any order, with runs in between, end in the same figures."""
    world, whole = told.world, told.whole
    config = load(world.write(tmp_path / "there", 0.0).rename(tmp_path / "orphaned.yaml"))
    world.write(tmp_path / "there")
    files = sorted(path for path in (tmp_path / "there").rglob("*.json*") if path.is_file())
    Random(world.spec.seed).shuffle(files)
    for number, path in enumerate(files):
        target = tmp_path / path.relative_to(tmp_path / "there")
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
        if number % 5 == 4 or path == files[-1]:
            run(config, instant_us(world.as_of) - len(files) + 1 + number)
    assert verdicts(config) == verdicts(whole)
    assert buckets(config) == buckets(whole)


def test_counters_only_grow_and_say_what_is_lost_now(told: Told) -> None:
    """After every slice no counter is lower than before, and recognized + up - down is what is lost now."""
    before: dict[tuple[str, ...], int] = {}
    for known in told.known:
        assert all(known.counters.get(key, 0) >= value for key, value in before.items())
        assert net_spend(known.counters) == lost_now(known.verdicts)
        before = known.counters
    assert before["runs_total", "ok"] == SLICES


def test_settled_buckets_stay_settled(told: Told) -> None:
    """No bucket that was settled after a slice is open, or gone, after a later one."""
    before: set[tuple[object, ...]] = set()
    for known in told.known:
        now = {_bucket_key(row) for row in known.buckets if row["settled"]}
        assert before <= now
        before = now
    assert before


def _bucket_key(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in (
        "provider", "account", "model", "usage_kind", "price_class", "currency", "usage_start_us",
        "usage_end_us",
    ))  # fmt: skip


def test_nothing_is_recognised_twice(tmp_path: Path) -> None:
    """Where no verdict is taken back, recognized spend is at most what each attempt was worth at first."""
    world = build(WorldSpec(seed=9, calls=CALLS, hours=2, vanish_share=0.0))
    first: dict[int, int] = {}
    for share, at_us in _slices(world, 6):
        config = load(world.write(tmp_path, share))
        run(config, at_us)
        for row in rows(config, "verdict_current"):
            if row["money_row"] and row["verdict"] in {"orphaned", "cut_short"}:
                first.setdefault(row["suspect_no"], row["orphaned_nano"] or 0)
    found = counters(config)
    recognized = sum(value for key, value in found.items() if key[0] == "recognized_spend_total")
    assert recognized <= sum(first.values())
    attempts = sum(value for key, value in found.items() if key[0] == "aborts_total")
    assert attempts == sum(row["money_row"] for row in rows(config, "verdict_current"))


def test_second_run_changes_nothing(told: Told) -> None:
    """Another run over the same files, a day later, reads no line and writes no version and no problem."""
    whole = told.whole
    last = max(rows(whole, "run"), key=lambda row: int(row["run_id"]))
    before = verdicts(whole), buckets(whole), problems(whole), net_spend(counters(whole))
    for day in (1, 2):
        summary = run(whole, last["recorded_at_us"] + day * DAY_US)
        assert summary.counts == {"rows_new": 0, "verdicts_changed": 0, "buckets_changed": 0}
    assert (verdicts(whole), buckets(whole), problems(whole), net_spend(counters(whole))) == before
    for table in ("verdict", "bucket"):
        assert all(row["run_id"] <= last["run_id"] for row in rows(whole, table))


def test_what_was_known_can_be_read_again(told: Told) -> None:
    """Read as of an earlier run, the ledger shows exactly what was current after that run."""
    until_us = [*(known.at_us - 1 for known in told.known[1:]), told.known[-1].at_us + DAY_US]
    for known, last_us in zip(told.known, until_us, strict=True):
        for as_of_us in (known.at_us, last_us):
            assert _known(told.sliced, known.at_us, as_of_us) == known
    assert verdicts(told.sliced, as_of_us=told.known[0].at_us - 1) == []


def test_time_does_not_go_back(tmp_path: Path) -> None:
    """A run before the last one is refused, and leaves everything as it was."""
    desk = Desk(tmp_path)
    desk.run(10)
    with pytest.raises(UsageError, match="lies before the last run"):
        desk.run(9)
    desk.run(10)
    assert [row["outcome"] for row in rows(desk.config, "run")] == ["ok", "ok"]


# Killed ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path: Path) -> None:
    """Runs killed by SIGKILL at random moments, then one that is not: the figures of a run never killed."""
    world = build(WorldSpec.rough(8, calls=600, hours=2, jobs=28))
    config_path = world.write(tmp_path / "killed", 0.0)
    whole = settled(world, tmp_path / "whole")
    rng, killed = Random(8), 0
    for share, at_us in _slices(world, 15):
        world.write(tmp_path / "killed", share)
        killed += _killed(config_path, at_us, rng.uniform(0.0, 0.7))
    config = load(config_path)
    run(config, instant_us(world.as_of) + 1)
    assert killed >= 3
    for source in (APP, EDGE, BACKEND, BILL, JOBS):
        assert source_counts(config, source) == source_counts(whole, source)
    assert verdicts(config) == verdicts(whole)
    assert buckets(config) == buckets(whole)
    assert net_spend(counters(config)) == lost_now(rows(config, "verdict_current"))
    assert problems(config)["app", "invalid line"] == problems(whole)["app", "invalid line"]


def _killed(config_path: Path, now_us: int, after_s: float) -> bool:
    """Kill a run `after_s` seconds after its beginning; whether it had not ended by then."""
    command = [sys.executable, "-m", "tests.run_process", str(config_path), str(now_us)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(after_s)
        alive = process.poll() is None
        process.kill()
    return alive


# A few calls by hand ---------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty desk."""
    return Desk(tmp_path)


def _only(config: Config) -> Row:
    (row,) = rows(config, "verdict_current")
    return row


def _total(config: Config, name: str, *labels: str) -> int:
    """The sum of a counter over all label sets that hold `labels`."""
    return sum(v for k, v in counters(config).items() if k[0] == name and set(labels) <= set(k))


def test_pending_until_the_horizon_then_unmatched(desk: Desk) -> None:
    """An abort without a completion is pending for 30 minutes, then unmatched; it is counted once."""
    desk.started("c1", 0)
    desk.ended("c1", 1)
    for minute, verdict, counted in (
        (2, "pending", 0),
        (30.9, "pending", 0),
        (31, "unmatched", 1),
        (99, "unmatched", 1),
    ):
        desk.run(minute)
        assert (_only(desk.config)["verdict"], _total(desk.config, "aborts_total")) == (verdict, counted)
    assert _total(desk.config, "aborts_total", "unmatched") == 1


def test_pending_waits_for_an_unreadable_completion_log(desk: Desk) -> None:
    """While the completion source cannot be read, pending lasts; after 24 hours of its silence, no longer."""
    desk.put("backend/a.jsonl", b"")
    desk.run(0)
    (desk.directory / "backend" / "a.jsonl").unlink()
    (desk.directory / "backend" / "a.jsonl").mkdir()
    desk.started("c1", 1)
    desk.ended("c1", 2)
    desk.run(40)
    assert _only(desk.config)["verdict"] == "pending"
    desk.run(DAY_MIN - 1)
    assert _only(desk.config)["verdict"] == "pending"
    desk.run(DAY_MIN + 1)
    assert _only(desk.config)["verdict"] == "unmatched"


def test_late_completion_turns_unmatched_into_orphaned(desk: Desk) -> None:
    """A completion read after the horizon still changes the verdict, which is counted as a change."""
    desk.started("c1", 0)
    desk.ended("c1", 1)
    desk.run(60)
    desk.completion("c1", 2)
    desk.run(120)
    row = _only(desk.config)
    assert (row["verdict"], row["orphaned_nano"]) == ("orphaned", 1000 * 300 + 2000 * 2500)
    found = counters(desk.config)
    assert found["verdict_changes_total", "unmatched", "orphaned"] == 1
    assert _total(desk.config, "aborts_total") == 1
    assert net_spend(found) == lost_now([row])


@pytest.mark.parametrize("hour", [1, 30])
def test_vanished_that_ends_after_all(desk: Desk, hour: int) -> None:
    """A call taken as vanished that ends as delivered after all is no abort: its spend is taken back."""
    desk.started("c1", 0)
    desk.completion("c1", 1)
    desk.run(31)
    assert (_only(desk.config)["reason"], _only(desk.config)["verdict"]) == ("vanished", "orphaned")
    desk.ended("c1", 45, outcome="delivered", reason=None, bytes_received=9, output_tokens_received=2000)
    desk.run(hour * HOUR_MIN)
    assert rows(desk.config, "verdict_current") == []
    assert net_spend(counters(desk.config)) == {}
    assert _total(desk.config, "recognized_spend_total") == _total(desk.config, "spend_corrected_down_total")
    assert [row["reason"] for row in rows(desk.config, "verdict_current", as_of_us=T0_US + 31 * MINUTE_US)] == [
        "vanished"
    ]


def test_vanished_that_turns_out_an_interrupt(desk: Desk) -> None:
    """A call taken as vanished that ends as another abort is one attempt still: counted once."""
    desk.started("c1", 0)
    desk.completion("c1", 50)
    desk.run(31)
    desk.run(51)
    assert _only(desk.config)["reason"] == "vanished"
    desk.ended("c1", 45)
    desk.run(60)
    row = _only(desk.config)
    assert (row["reason"], row["verdict"]) == ("interrupt", "orphaned")
    found = counters(desk.config)
    assert net_spend(found) == lost_now([row])
    assert _total(desk.config, "aborts_total") == 1
    assert _total(desk.config, "recognized_spend_total") <= row["orphaned_nano"]


def test_process_that_wrote_on_had_not_vanished(desk: Desk) -> None:
    """Where the process of a lost end writes on, nothing is lost; a problem says so, once."""
    desk.started("c1", 0, process="p1")
    desk.completion("c1", 1)
    desk.run(31)
    assert _only(desk.config)["reason"] == "vanished"
    desk.started("c2", 40, process="p1")
    desk.ended("c2", 41, outcome="delivered", reason=None)
    desk.run(42)
    desk.run(90)
    assert rows(desk.config, "verdict_current") == []
    assert problems(desk.config)["app", "ended line missing"] == 1


def test_late_end_of_a_call_whose_process_wrote_on(desk: Desk) -> None:
    """Its process wrote on, so nothing was lost; but the abort that is read later is one after all."""
    desk.started("c1", 0, process="p1")
    desk.started("c2", 50, process="p1")
    desk.ended("c2", 51, outcome="delivered", reason=None)
    desk.completion("c1", 2)
    desk.run(60)
    assert problems(desk.config)["app", "ended line missing"] == 1
    desk.ended("c1", 1, file="client/late.jsonl")
    desk.run(120)
    assert (_only(desk.config)["verdict"], _only(desk.config)["reason"]) == ("orphaned", "interrupt")
    assert ("app", "started line missing") not in problems(desk.config)


def test_outer_observer_read_later_takes_the_money_over(desk: Desk) -> None:
    """The proxy's row comes first and holds the money; the client's, read later, takes it: counted once."""
    desk.put("nginx/a.json", {
        "msec": str((T0_US + 60_000_000) / 1e6), "request_id": "c1", "request_method": "POST",
        "request_uri": "/v1/models/acme-chat-1:generateContent", "status": "499", "request_time": "60.000",
        "bytes_sent": "0", "request_completion": "", "upstream_header_time": "-", "http_x_request_id": "c1",
    })  # fmt: skip
    desk.completion("c1", 2)
    desk.run(5)
    assert (_only(desk.config)["observer"], _only(desk.config)["money_row"]) == ("edge", True)
    desk.started("c1", 0)
    desk.ended("c1", 1)
    desk.run(6)
    found = {row["observer"]: row for row in rows(desk.config, "verdict_current")}
    assert (found["app"]["money_row"], found["edge"]["money_row"]) == (True, False)
    assert (found["app"]["orphaned_nano"], found["edge"]["orphaned_nano"]) == (5_300_000, 0)
    assert found["edge"]["completion_id"] == found["app"]["completion_id"] == "cmpl-c1"
    assert _total(desk.config, "aborts_total") == 1
    assert _total(desk.config, "recognized_spend_total") == 5_300_000
    assert net_spend(counters(desk.config)) == lost_now(found.values())


def _billed_desk(desk: Desk) -> None:
    """One lost call whose hour is billed and settled at twice the listed price."""
    desk.started("c1", 0)
    desk.ended("c1", 1)
    desk.completion("c1", 2)
    desk.run(5)
    desk.bill("Input", 0, 1000, "0.0006")
    desk.bill("Output", 0, 2000, "0.01")
    desk.run(6 * HOUR_MIN)


def test_settling_moves_the_counters_up(desk: Desk) -> None:
    """What was recognised at the estimate is corrected up when the bill settles dearer."""
    _billed_desk(desk)
    row = _only(desk.config)
    assert (row["basis"], row["cost_nano"], row["orphaned_nano"]) == ("billed", 10_600_000, 10_600_000)
    assert _total(desk.config, "recognized_spend_total") == 5_300_000
    assert _total(desk.config, "spend_corrected_up_total") == 5_300_000
    assert _total(desk.config, "spend_corrected_down_total") == 0


def test_corrections_change_a_settled_bucket(desk: Desk) -> None:
    """Corrections dearer and cheaper change the settled bucket; it stays settled, counters go up and down."""
    _billed_desk(desk)
    steps = [("0.0020", 12_600_000, 7_300_000, 0), ("-0.0040", 8_600_000, 7_300_000, 4_000_000)]
    for number, (cost, total, up, down) in enumerate(steps):
        desk.bill("Output", 0, 0, cost, file=f"billing/correction-{number}.jsonl", cost_type="adjustment")
        desk.run((10 + number) * DAY_MIN)
        row = _only(desk.config)
        assert (row["basis"], row["orphaned_nano"]) == ("billed", total)
        assert all(bucket["settled"] for bucket in rows(desk.config, "bucket_current"))
        assert _total(desk.config, "recognized_spend_total") == 5_300_000
        assert _total(desk.config, "spend_corrected_up_total") == up
        assert _total(desk.config, "spend_corrected_down_total") == down
        assert net_spend(counters(desk.config)) == lost_now([row])


def test_settled_stays_settled(desk: Desk) -> None:
    """A late completion that makes the billed usage far too small does not unsettle its hour."""
    _billed_desk(desk)
    for number in range(9):
        desk.completion(f"late-{number}", 30, file="backend/late.jsonl")
    desk.run(7 * HOUR_MIN)
    assert {row["settled"] for row in rows(desk.config, "bucket_current")} == {True}
    row = _only(desk.config)
    assert (row["basis"], row["cost_nano"]) == ("billed", 1_060_000)
    assert problems(desk.config)["bill", "billed less than logged"] == 2
    assert row["orphaned_high_nano"] == 5_300_000


def test_bill_in_parts_settles_when_it_is_whole(desk: Desk) -> None:
    """Half a bill is shown, unattributed, and settles nothing; with the other half the amounts are billed."""
    desk.started("c1", 0)
    desk.ended("c1", 1)
    desk.completion("c1", 2)
    desk.bill("Input", 0, 1000, "0.0003")
    desk.bill("Output", 0, 1000, "0.0025")
    desk.run(6 * HOUR_MIN)
    states = {
        row["usage_kind"]: (row["settled"], row["unattributed_nano"]) for row in rows(desk.config, "bucket_current")
    }
    assert states == {"input": (True, 0), "output": (False, 2_500_000)}
    assert _only(desk.config)["basis"] == "estimated"
    desk.bill("Output", 0, 1000, "0.0027", file="billing/b.jsonl")
    desk.run(7 * HOUR_MIN)
    assert (_only(desk.config)["basis"], _only(desk.config)["cost_nano"]) == ("billed", 5_500_000)


def test_delivery_read_twice_counts_once(desk: Desk) -> None:
    """Equal rows count as often as in the file that has most of them, in whichever order files come."""
    for day, (file, times) in enumerate((("billing/a.jsonl", 1), ("billing/b.jsonl", 3), ("billing/c.jsonl", 2))):
        for _ in range(times):
            desk.bill("Output", 0, 1000, "0.0025", file=file)
        desk.run((day + 1) * DAY_MIN)
    (bucket,) = rows(desk.config, "bucket_current")
    assert (bucket["billed_nano"], bucket["billed_micro"]) == (7_500_000, 3_000_000_000)
    assert source_counts(desk.config, "bill") == {"new": 3, "duplicate": 3, "problem": 0, "ignored": 0}
