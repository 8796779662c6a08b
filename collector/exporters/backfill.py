"""The counters' past as OpenMetrics with timestamps, for `promtool tsdb create-blocks-from openmetrics`.

A connection to the ledger and a grid of instants come in; samples go out, family by family and series by series, so
that memory does not grow with them. Every counter and histogram has the value that the exporter showed at that
instant (the ledger keeps each change with its run's now); only what the very first run found is told at the instants
when it happened, from 0 on. Instants are whole multiples of the step and the past does not change, so the same
instant always gets the same sample, and loading a file twice changes nothing. Gauges are not written: they say how
things stand now. Nothing of the last three hours is written, which Prometheus still holds in memory.

The format: https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
What promtool does with it: https://prometheus.io/docs/prometheus/latest/storage/#backfilling-from-openmetrics-format
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import BinaryIO, NamedTuple

import duckdb
from prometheus_client.utils import floatToGoString

from collector.exporters.catalogue import FAMILIES, Family
from collector.exporters.metrics import bound_text, counter_zeros
from collector.exporters.tables import Progress, unwatched
from collector.ledger import dialect
from collector.ledger.summary import BOUNDS_S, bound_s
from collector.money import NANO_PER_UNIT
from collector.problems import UsageError

PACKAGE = "collector.exporters"
BATCH_ROWS = 20_000
SECOND_US = 1_000_000
HEAD_US = 3 * 3600 * SECOND_US  # what Prometheus still holds in memory and may yet write itself
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")

Labels = tuple[str, ...]


class Change(NamedTuple):
    """One row of backfill_change.sql; `bound` is None but for a histogram's buckets."""

    series: list[str]
    bound: str | None
    at_us: int
    delta: int


@dataclass(frozen=True, slots=True)
class Grid:
    """The instants that get a sample: the multiples of `step_us` from `from_us` on, before `to_us`."""

    step_us: int
    from_us: int
    to_us: int

    @property
    def end_us(self) -> int:
        """The last of them."""
        return (self.to_us - 1) // self.step_us * self.step_us

    def upward(self, at_us: int) -> int:
        """The first of all multiples that is not before `at_us`."""
        return -(-at_us // self.step_us) * self.step_us

    def since(self, first_us: int) -> range:
        """Those that are not before `first_us`."""
        return range(self.upward(max(first_us, self.from_us)), self.to_us, self.step_us)


@dataclass(frozen=True, slots=True)
class Writing:
    """One file under way: where from, which instants, which labels besides, and since when what is known to be 0."""

    connection: duckdb.DuckDBPyConnection
    grid: Grid
    more: str
    runs_from_us: int
    sources: Mapping[str, int] = field(default_factory=dict)


def grid(*, now_us: int, step_us: int, from_us: int | None = None, to_us: int | None = None) -> Grid:
    """The instants between `from_us` and `to_us`, and never those of the last three hours before `now_us`.

    Raises UsageError for a step that is no whole number of seconds.
    """
    if step_us <= 0 or step_us % SECOND_US:
        raise UsageError("--step: expected whole seconds, such as 30s or 5m")
    last_us = now_us - HEAD_US
    return Grid(step_us, 0 if from_us is None else max(from_us, 0), last_us if to_us is None else min(to_us, last_us))


def labels_besides(named: Iterable[str]) -> dict[str, str]:
    """`job=x` and so on as a mapping. Raises UsageError for what is no label, or is one of ours."""
    ours = {label for family in FAMILIES for label in family.labels} | {"le"}
    found = {}
    for text in named:
        name, equals, value = text.partition("=")
        if not (equals and value and _LABEL.fullmatch(name)) or name in ours:
            raise UsageError(f"--label: {text!r}; expected NAME=VALUE with a name that our metrics do not have")
        found[name] = value
    return found


def write(
    connection: duckdb.DuckDBPyConnection,
    sink: BinaryIO,
    instants: Grid,
    *,
    besides: Mapping[str, str] | None = None,
    show: Progress = unwatched,
) -> int:
    """Write every counter and histogram at `instants`, with the labels `besides`; how many samples that are."""
    known = dict(dialect.run(connection, PACKAGE, "backfill_known"))
    runs_from_us = known.pop(None, instants.to_us)
    writing = Writing(connection, instants, _pairs(besides or {}), runs_from_us, known)
    samples = 0
    for family in FAMILIES:
        if family.kind == "gauge":
            continue
        sink.write(_head(family).encode())
        draw = _histogram if family.kind == "histogram" else _counter
        for lines in _batched(draw(writing, family)):
            sink.write("".join(lines).encode())
            samples += len(lines)
            show(samples)
    sink.write(b"# EOF\n")
    return samples


def _head(family: Family) -> str:
    """Help and type; OpenMetrics names a counter without its `_total`."""
    name = family.full_name.removesuffix("_total")
    return f"# HELP {name} {_escaped(family.help)}\n# TYPE {name} {family.kind}\n"


def _batched(lines: Iterator[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for line in lines:
        batch.append(line)
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    yield batch


def _counter(writing: Writing, family: Family) -> Iterator[str]:
    """The lines of one counter: each series whole, its instants in order."""
    zeros = _zeros(writing, family)
    unit = NANO_PER_UNIT if family.money else 1
    for labels, changes in _series(writing, family):
        first_us = min(changes.first_us, zeros.pop(labels, changes.first_us))
        name = _named(family.full_name, zip(family.labels, labels, strict=True), writing.more)
        for at_us, held in changes.standing(first_us):
            value = held[None] / unit if family.money else held[None]
            yield f"{name} {_number(value)} {at_us // SECOND_US}\n"
    for labels, first_us in zeros.items():
        name = _named(family.full_name, zip(family.labels, labels, strict=True), writing.more)
        for at_us in writing.grid.since(first_us):
            yield f"{name} 0.0 {at_us // SECOND_US}\n"


def _histogram(writing: Writing, family: Family) -> Iterator[str]:
    """The lines of one histogram: of each series, at each instant, the buckets, the count and the sum."""
    for labels, changes in _series(writing, family):
        pairs = list(zip(family.labels, labels, strict=True))
        buckets = [
            (bound, _named(f"{family.full_name}_bucket", [*pairs, ("le", bound_text(bound))], writing.more))
            for bound in BOUNDS_S
        ]
        count, total = (_named(family.full_name + suffix, pairs, writing.more) for suffix in ("_count", "_sum"))
        for at_us, held in changes.standing(changes.first_us):
            at = at_us // SECOND_US
            reached = {bound_s(bound): value for bound, value in held.items() if bound is not None}
            for bound, name in buckets:
                yield f"{name} {_number(reached.get(bound, 0))} {at}\n"
            yield f"{count} {_number(reached.get(BOUNDS_S[-1], 0))} {at}\n"
            yield f"{total} {_number(held[None] / 1e6)} {at}\n"


class Changes:
    """The changes of one series (one at least) in the order of time, read as they are needed."""

    def __init__(self, changes: Iterator[Change], writing: Writing) -> None:
        self._first, self._rest, self._grid = next(changes), changes, writing.grid
        self._runs_from_us = writing.grid.upward(writing.runs_from_us)

    @property
    def first_us(self) -> int:
        """When the series begins: one step before its first change, if that lies before the first run."""
        early = self._first.at_us < self._runs_from_us
        return self._first.at_us - (self._grid.step_us if early else 0)

    def standing(self, first_us: int) -> Iterator[tuple[int, Mapping[str | None, int]]]:
        """Each instant of the grid from `first_us` on, and what is held by then, by bound."""
        held: dict[str | None, int] = defaultdict(int)
        change: Change | None = self._first
        for at_us in self._grid.since(first_us):
            while change is not None and change.at_us <= at_us:
                held[change.bound] += change.delta
                change = next(self._rest, None)
            yield at_us, held


def _series(writing: Writing, family: Family) -> Iterator[tuple[Labels, Changes]]:
    """Every series of the family that ever changed, with its changes."""
    values = {"name": family.name, "step_us": writing.grid.step_us, "end_us": writing.grid.end_us}
    changes = map(Change._make, dialect.streamed(writing.connection, PACKAGE, "backfill_change", values))
    for series, rows in groupby(changes, key=lambda change: change.series):
        yield tuple(series), Changes(rows, writing)


def _zeros(writing: Writing, family: Family) -> dict[Labels, int]:
    """The label sets that the live exporter shows at 0 before anything has happened, and since when."""
    known = dict(counter_zeros(writing.sources)).get(family.name, [])
    by_source = family.labels[:1] == ("source",)
    return {labels: writing.sources[labels[0]] if by_source else writing.runs_from_us for labels in known}


def _named(name: str, pairs: Iterable[tuple[str, str]], more: str) -> str:
    """A series as the formats write it: `name{label="value"}`."""
    own = _pairs(dict(pairs))
    inside = ",".join(part for part in (own, more) if part)
    return f"{name}{{{inside}}}" if inside else name


def _pairs(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    """A value as the live exporter writes it."""
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]
