"""The frozen summary of the ledger: what every outside view draws, and nothing else may ask the ledger.

In: a connection, and the instant whose knowledge is wanted. Out: one LedgerSummary. It computes no money of its
own: every figure is a sum that an .sql file names.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from collector.ledger import dialect
from collector.records import (
    HistogramSeries,
    LedgerSummary,
    ProblemCount,
    RunRecord,
    Series,
    SourceStatus,
    WindowSpend,
)

PACKAGE = "collector.ledger"
PARTS = ("delivered", "orphaned", "cut_short", "failed", "unattributed")
HISTOGRAMS = ("abort_wait_seconds", "overrun_seconds", "timeout_overrun_seconds", "run_duration_seconds")
DAY_US = 86_400_000_000
WINDOW_DAYS = {"1d": 1, "7d": 7, "30d": 30}
SLACK_US = 2 * DAY_US  # a bucket that opens before a window may be a day long
_ENDLESS = 9_000_000_000  # the bound that stands for infinity in the ledger

Counters = dict[str, list[tuple[tuple[str, ...], int]]]


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time by name: what lies after `from_us`, up to and with `to_us`."""

    name: str
    from_us: int
    to_us: int


def summarise(connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any]) -> LedgerSummary:
    """The ledger as it stands; `values` holds now_us, currency and horizon_us."""
    now_us = int(values["now_us"])
    bound = {**values, **_spans(_windows(now_us))}
    counters = _counters(connection)
    windows = _spend(connection, bound)
    runs = tuple(RunRecord(*row) for row in dialect.run(connection, PACKAGE, "summary_run"))
    sources = _sources(connection, counters)
    problems = tuple(ProblemCount(*row) for row in dialect.run(connection, PACKAGE, "summary_problem"))
    standing = dialect.run(connection, PACKAGE, "summary_verdict", bound)
    return LedgerSummary(
        as_of_us=now_us,
        recorded_at_us=runs[0].recorded_at_us if runs else None,
        currency=str(values["currency"]),
        families={
            **_plain_counters(counters), **_window_families(windows), **_bill_families(connection),
            **_source_families(sources), **_run_families(runs), **_cancel_families(connection, bound),
            **_retry_families(connection, bound), **_loss_families(connection, bound),
            **_trust_families(connection, bound, standing, problems),
        },
        histograms=_histograms(counters),
        windows=windows,
        sources=sources,
        problems=problems,
        runs=runs,
        verdicts=_aborts_by(standing, 0),
        evidence=_aborts_by(standing, 1),
    )  # fmt: skip


def _month_start_us(now_us: int) -> int:
    now = datetime.fromtimestamp(now_us // 1_000_000, UTC)
    return int(datetime(now.year, now.month, 1, tzinfo=UTC).timestamp()) * 1_000_000


def _counters(connection: duckdb.DuckDBPyConnection) -> Counters:
    """Every counter of the ledger by its name."""
    found: Counters = defaultdict(list)
    for name, labels, value in dialect.run(connection, PACKAGE, "summary_counter"):
        found[name].append((tuple(labels), int(value)))
    return found


def _plain_counters(counters: Counters) -> dict[str, tuple[Series, ...]]:
    """The counters that are no part of a histogram."""
    return {
        name: tuple(Series(labels, value) for labels, value in series)
        for name, series in counters.items()
        if not name.startswith(HISTOGRAMS)
    }


def _histograms(counters: Counters) -> dict[str, tuple[HistogramSeries, ...]]:
    """The histograms, whose cumulative counts the ledger keeps one counter a bound."""
    drawn = {}
    for name in HISTOGRAMS:
        bounds: dict[tuple[str, ...], list[tuple[float, int]]] = defaultdict(list)
        for labels, value in counters.get(f"{name}_bucket", []):
            bounds[labels[:-1]].append((bound_s(labels[-1]), value))
        sums = dict(counters.get(f"{name}_sum", []))
        drawn[name] = tuple(
            HistogramSeries(labels, _filled(held), sums.get(labels, 0) / 1e6) for labels, held in sorted(bounds.items())
        )
    return drawn


def bound_s(label: str) -> float:
    """A histogram's bound in seconds, as the ledger's counters name it."""
    upper = float(label)
    return float("inf") if upper >= _ENDLESS else upper


BOUNDS_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, float("inf"))


def _filled(held: Sequence[tuple[float, int]]) -> tuple[tuple[float, int], ...]:
    """Cumulative counts at every bound; a bound that nothing lies under was never written."""
    known = dict(held)
    return tuple((bound, known.get(bound, 0)) for bound in BOUNDS_S)


def _windows(now_us: int) -> list[Window]:
    """The windows that the metrics have: they end now."""
    spans = [Window(name, now_us - days * DAY_US, now_us) for name, days in WINDOW_DAYS.items()]
    return [*spans, Window("month", _month_start_us(now_us), now_us)]


def _spans(windows: Sequence[Window]) -> dict[str, Any]:
    """`windows` as the statements about them take them."""
    return {
        "spans": [one.name for one in windows],
        "froms_us": [one.from_us for one in windows],
        "tos_us": [one.to_us for one in windows],
        "oldest_us": min(one.from_us for one in windows) - SLACK_US,
    }


def spend(
    connection: duckdb.DuckDBPyConnection, bound: Mapping[str, Any], windows: Sequence[Window]
) -> tuple[WindowSpend, ...]:
    """Spend by window and currency, whatever the windows; `bound` holds currency and horizon_us.

    The one place where what was lost in a span of time is added up, so that no two views can disagree.
    """
    return _spend(connection, {**bound, **_spans(windows)})


def _spend(connection: duckdb.DuckDBPyConnection, bound: Mapping[str, Any]) -> tuple[WindowSpend, ...]:
    """Spend by window and currency."""
    return tuple(
        WindowSpend(
            span, currency, int(low), int(best), int(high), int(avoidable),
            dict(zip(PARTS, map(int, parts), strict=True)),
        )
        for span, currency, low, best, high, avoidable, *parts in dialect.run(
            connection, PACKAGE, "summary_window", bound
        )
    )  # fmt: skip


def _window_families(windows: Sequence[WindowSpend]) -> dict[str, tuple[Series, ...]]:
    """The gauges of the windows."""
    spend, avoidable, inference = [], [], []
    for window in windows:
        amounts = {"low": window.low_nano, "best": window.best_nano, "high": window.high_nano}
        spend += [Series((window.window, name, window.currency), nano) for name, nano in amounts.items()]
        avoidable.append(Series((window.window, window.currency), window.avoidable_nano))
        inference += [Series((window.window, part, window.currency), n) for part, n in window.parts.items()]
    return {
        "window_spend": tuple(spend),
        "window_avoidable_spend": tuple(avoidable),
        "window_inference_spend": tuple(inference),
    }


def _bill_families(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[Series, ...]]:
    """How far the bill is settled, and how the price book compares with it."""
    settled = dialect.run(connection, PACKAGE, "summary_settled")
    through = dialect.run(connection, PACKAGE, "summary_through")
    return {
        "settled_billed_spend": tuple(Series((p, c), int(billed)) for p, c, billed, _ in settled),
        "settled_estimated_spend": tuple(Series((p, c), int(estimated)) for p, c, _, estimated in settled),
        "bill_settled_through_timestamp_seconds": tuple(Series((p, a), us / 1e6) for p, a, us in through),
    }


def _sources(connection: duckdb.DuckDBPyConnection, counters: Counters) -> tuple[SourceStatus, ...]:
    """How every source stands."""
    records: dict[str, dict[str, int]] = defaultdict(dict)
    for (source, outcome), value in counters.get("source_records_total", []):
        records[source][outcome] = value
    return tuple(
        SourceStatus(source, kind, bool(up), error or "", success, watermark, records[source])
        for source, kind, up, error, success, watermark in dialect.run(connection, PACKAGE, "summary_source")
    )


def _source_families(sources: Sequence[SourceStatus]) -> dict[str, tuple[Series, ...]]:
    """The gauges of the sources; a source that never succeeded has no instant of success."""
    return {
        "source_up": tuple(Series((s.source,), int(s.up)) for s in sources),
        "source_last_success_timestamp_seconds": tuple(
            Series((s.source,), s.last_success_at_us / 1e6) for s in sources if s.last_success_at_us is not None
        ),
        "source_watermark_timestamp_seconds": tuple(
            Series((s.source,), s.watermark_at_us / 1e6) for s in sources if s.watermark_at_us is not None
        ),
    }


def _run_families(runs: Sequence[RunRecord]) -> dict[str, tuple[Series, ...]]:
    """When a run last went well."""
    good = [run for run in runs if run.outcome != "invariant"]
    return {
        "run_last_success_timestamp_seconds": (Series((), good[0].recorded_at_us / 1e6),) if good else (),
    }


def _retry_families(connection: duckdb.DuckDBPyConnection, bound: Mapping[str, Any]) -> dict[str, tuple[Series, ...]]:
    """What was lost on attempts that a later one superseded, by window and service."""
    lost = dialect.run(connection, PACKAGE, "summary_retry", bound)
    return {"window_retry_spend": tuple(Series((w, service, c), int(nano)) for w, service, c, nano in lost)}


def _cancel_families(connection: duckdb.DuckDBPyConnection, bound: Mapping[str, Any]) -> dict[str, tuple[Series, ...]]:
    """The aborts of the last 30 days for which the backend stopped, and those for which it did not."""
    dialect.run(connection, PACKAGE, "cancel_count", bound)
    counted = dialect.run(connection, PACKAGE, "summary_cancel")
    return {
        "cancel_honored_aborts": tuple(Series((p, m, mode), int(yes)) for p, m, mode, yes, _ in counted),
        "cancel_ignored_aborts": tuple(Series((p, m, mode), int(no)) for p, m, mode, _, no in counted),
    }


def _loss_families(connection: duckdb.DuckDBPyConnection, bound: Mapping[str, Any]) -> dict[str, tuple[Series, ...]]:
    """The windows' best figures by who caused them, and by how they were obtained."""
    dialect.run(connection, PACKAGE, "window_loss", bound)
    families = {"window_lost_spend": "summary_cause", "window_evidence_spend": "summary_evidence"}
    return {
        family: tuple(Series(tuple(labels), int(nano)) for *labels, nano in dialect.run(connection, PACKAGE, step))
        for family, step in families.items()
    }


def _trust_families(
    connection: duckdb.DuckDBPyConnection,
    bound: Mapping[str, Any],
    standing: Sequence[tuple[Any, ...]],
    problems: Sequence[ProblemCount],
) -> dict[str, tuple[Series, ...]]:
    """What a reader needs to know how far the figures can be trusted."""
    confidence = dialect.run(connection, PACKAGE, "summary_confidence", bound)
    return {
        "evidence_aborts": tuple(Series((verdict, evidence), aborts) for verdict, evidence, aborts in standing),
        "match_confidence_ratio": tuple(Series((p, m), ratio) for p, m, ratio in confidence),
        "problems": tuple(Series((one.source, one.kind), one.count) for one in problems),
    }


def _aborts_by(standing: Sequence[tuple[Any, ...]], column: int) -> dict[str, int]:
    """How many attempts of the last 30 days have each value of that column (0: verdict, 1: evidence)."""
    counted: dict[str, int] = defaultdict(int)
    for row in standing:
        counted[row[column]] += row[-1]
    return dict(counted)
