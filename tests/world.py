"""A seeded world that knows the truth: inference calls, their logs and their bill, and what was lost.

A spec comes in; out goes a `World` that writes its files in the project's input formats, with a config that
fits, and that holds every abort, job, bucket and total as it must be found. It knows nothing of the collector, so
that the two can disagree. `world_spec` says what may be asked for, `world_truth` what is true.

    world = build(WorldSpec.rough(seed=7))
    config = world.write(tmp_path)  # then let the collector read it, as of world.as_of
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from random import Random
from typing import Literal

from tests.world_bill import BillRow, bill_rows
from tests.world_books import Books, Totals, TrueBucket
from tests.world_calls import Call, Usage, Work
from tests.world_config import config_text
from tests.world_fates import Teller
from tests.world_jobs import TrueJob
from tests.world_jobs import judge as judge_jobs
from tests.world_jobs import plan as plan_jobs
from tests.world_lines import Line, write_lines
from tests.world_plans import Arrival, Planner, poisson_arrivals, trace_arrivals
from tests.world_spec import BILL, DAY_US, HORIZON_MIN, HOUR_US, SECOND_US, ModelSpec, WorldSpec, moment
from tests.world_truth import TrueAbort, judge

__all__ = [
    "BillRow", "Call", "Counts", "Line", "ModelSpec", "Totals", "TrueAbort", "TrueBucket", "TrueJob", "Usage", "Work",
    "World", "WorldSpec", "build", "from_trace",
]  # fmt: skip

AS_OF_AFTER_US = 72 * HOUR_US


@dataclass(frozen=True, slots=True)
class Counts:
    """What the lines of a source or a file must be counted as. `ignored` has the blank ones."""

    records: int = 0
    duplicates: int = 0
    problems: int = 0
    ignored: int = 0


@dataclass(frozen=True)
class World:
    """One simulated world. `works` has the unlogged work as well; `as_of`: by then all is settled."""

    spec: WorldSpec
    calls: tuple[Call, ...]
    works: tuple[Work, ...]
    rows: tuple[BillRow, ...]
    lines: tuple[Line, ...]
    aborts: tuple[TrueAbort, ...]
    jobs: tuple[TrueJob, ...]
    buckets: tuple[TrueBucket, ...]
    totals: dict[str, Totals]  # by currency
    as_of: datetime

    def write(
        self, directory: Path, upto: float | datetime | Literal["logs", "all"] = "all", *, torn: bool = False
    ) -> Path:
        """Write the config and the lines that have arrived by `upto`; the path of `orphaned.yaml`.

        `upto`: a share of all lines, an instant, or everything but the bill. A later call lets the files of
        an earlier one grow: what is there already is left as it is. `torn` breaks the next line of each file
        off in the middle, without a newline; a later call goes on where it broke off.
        """
        directory.mkdir(parents=True, exist_ok=True)
        arrived = self._arrived(upto)
        for name, data in _files(arrived).items():
            _grow(directory / name, data)
        if torn:
            for line in self._next_of_each_file(arrived):
                path = directory / line.file
                whole = _files([*(old for old in arrived if old.file == line.file), line])[line.file]
                _grow(path, whole[: -1 - (len(line.data) + 1) // 2])
        config = directory / "orphaned.yaml"
        config.write_text(config_text(self.spec), encoding="utf-8")
        return config

    def counts(self, source: str | None = None, *, file: str | None = None) -> Counts:
        """How the lines of a source, of a file, or of all must be counted."""
        wanted = [line.outcome for line in self.lines if source in {None, line.source} and file in {None, line.file}]
        return Counts(*(wanted.count(outcome) for outcome in ("record", "duplicate", "problem", "ignored")))

    @property
    def completion_of(self) -> dict[str, str | None]:
        """call_id -> completion_id, for every call; None for what no backend heard of, or no log shows."""
        return {c.call_id: c.work.completion_id if c.work and c.work.logged else None for c in self.calls}

    def _arrived(self, upto: float | datetime | Literal["logs", "all"]) -> list[Line]:
        if upto == "all":
            return list(self.lines)
        if upto == "logs":
            return [line for line in self.lines if line.source != BILL]
        if isinstance(upto, datetime):
            until_us = int(upto.timestamp() * SECOND_US)
            return list(takewhile(lambda line: line.arrives_us <= until_us, self.lines))
        return list(self.lines[: round(len(self.lines) * float(upto))])

    def _next_of_each_file(self, arrived: list[Line]) -> Iterator[Line]:
        seen = {line.order for line in arrived}
        begun = {line.file for line in arrived}
        for line in self.lines:
            if line.order not in seen and line.file in begun:
                begun.discard(line.file)
                if len(line.data) > 8:
                    yield line


def build(spec: WorldSpec) -> World:
    """The world of that spec, with arrivals at random."""
    return _world(spec, list(poisson_arrivals(spec, Random(f"{spec.seed}:arrivals"))))


def from_trace(path_csv: Path, spec: WorldSpec) -> World:
    """The same with the arrivals and token counts of a trace: of its first `spec.calls` requests.

    The file has a head and the columns TIMESTAMP, ContextTokens and GeneratedTokens, oldest first.
    """
    return _world(spec, list(trace_arrivals(spec, path_csv)))


def _world(spec: WorldSpec, arrivals: list[Arrival]) -> World:
    # A generator for each concern, so that one more fault leaves the traffic as it was.
    planner = Planner(spec, Random(f"{spec.seed}:plans"))
    teller = Teller(spec, Random(f"{spec.seed}:fates"), planner, arrivals)
    calls = _lose_ends(spec, list(teller.calls(arrivals)), Random(f"{spec.seed}:ends"))
    seen = [call.work for call in calls if call.work]
    jobs = plan_jobs(spec, Random(f"{spec.seed}:jobs"))
    works = (*seen, *teller.background_work(arrivals), *(job.work for job in jobs))
    rows = bill_rows(spec, works, Random(f"{spec.seed}:bill"))
    books = Books(spec, works, rows)
    aborts = judge(spec, calls, books)
    true_jobs = judge_jobs(jobs, books)
    buckets = books.buckets()
    currencies = sorted({model.currency for model in spec.price_list()})
    return World(
        spec=spec, calls=tuple(calls), works=works, rows=rows, aborts=aborts, jobs=true_jobs,
        buckets=buckets, lines=write_lines(spec, calls, seen, jobs, rows, Random(f"{spec.seed}:lines")),
        totals={c: _totals(c, aborts, buckets, books) for c in currencies},
        as_of=_as_of(spec, works),
    )  # fmt: skip


def _lose_ends(spec: WorldSpec, calls: list[Call], rng: Random) -> list[Call]:
    """Ended lines that never reached the log, of calls that went well and that only their client saw.

    Where lines name their process, only such as can be told: the process wrote on past the horizon.
    """
    if not spec.lost_ended_share:
        return calls
    last_us: dict[str, int] = {}
    for call in calls:
        if call.client and call.client.recorded:
            last_us[call.process] = max(last_us.get(call.process, 0), call.started_us)
    return [_without_end(spec, call, last_us, rng) for call in calls]


def _without_end(spec: WorldSpec, call: Call, last_us: dict[str, int], rng: Random) -> Call:
    view = call.client
    if view is None or view.ended_us is None or not view.recorded:
        return call
    if call.proxy or view.outcome != "delivered":
        return call
    silent_us = call.started_us + HORIZON_MIN * 60 * SECOND_US
    told = not spec.log_process or last_us[call.process] > max(silent_us, view.ended_us) + 5 * SECOND_US
    if not told or rng.random() >= spec.lost_ended_share:
        return call
    return replace(call, client=replace(view, ended_recorded=False))


def _totals(currency: str, aborts: Iterable[TrueAbort], buckets: Iterable[TrueBucket], books: Books) -> Totals:
    mine = [bucket for bucket in buckets if bucket.currency == currency]
    rows = [abort for abort in aborts if abort.currency == currency]
    other = books.other(currency)
    return Totals(
        billed=sum((b.billed_cost for b in mine), other), delivered=_sum(b.delivered for b in mine),
        orphaned=_sum(b.orphaned for b in mine), cut_short=_sum(b.cut_short for b in mine),
        failed=_sum(b.failed for b in mine), unattributed=_sum(b.unattributed for b in mine), other=other,
        lost=_sum(a.lost for a in rows), avoidable=_sum(a.avoidable for a in rows),
    )  # fmt: skip


def _sum(amounts: Iterable[Fraction]) -> Fraction:
    return sum(amounts, Fraction(0))


def _as_of(spec: WorldSpec, works: Iterable[Work]) -> datetime:
    """72 hours after the end of the last period that a bill can have."""
    span_us = DAY_US if spec.daily else HOUR_US
    last_us = max((work.finished_us for work in works), default=spec.start_us)
    return moment((last_us // span_us + 2) * span_us + AS_OF_AFTER_US)


def _files(lines: Iterable[Line]) -> dict[str, bytes]:
    parts: dict[str, list[bytes]] = {}
    for line in lines:
        parts.setdefault(line.file, []).append(line.data)
    return {name: b"\n".join(data) + b"\n" for name, data in parts.items()}


def _grow(path: Path, data: bytes) -> None:
    """Append what the file does not have yet, in place, as a program that writes a log would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    had = path.stat().st_size if path.exists() else 0
    with path.open("ab") as file:
        file.write(data[had:])
