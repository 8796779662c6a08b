"""The frozen types that walk between the rooms. Rows by the million are Arrow tables; these are for the few.

Times are microseconds since 1970 UTC (`_at_us`), money is whole nano-units, usage is 10^-6 of its unit
(`_micro`) where a bill may state fractions, and whole units elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Series:
    """One sample of a metric: label values in the order of its family, and the value (money: nano-units)."""

    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True)
class HistogramSeries:
    """One labelled histogram: cumulative counts by upper bound (seconds, the last is infinity) and the sum."""

    labels: tuple[str, ...]
    buckets: tuple[tuple[float, int], ...]
    sum: float


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How one source stands. `error` is empty when its last fetch worked; times are None where never."""

    source: str
    kind: str
    up: bool
    error: str
    last_success_at_us: int | None
    watermark_at_us: int | None
    records: Mapping[str, int]  # outcome (new, duplicate, problem, ignored) -> count ever


@dataclass(frozen=True, slots=True)
class ProblemCount:
    """All problems of one source and kind: how many, the newest, and its message as an example."""

    source: str
    kind: str
    count: int
    last_seen_at_us: int
    example: str


@dataclass(frozen=True, slots=True)
class WindowSpend:
    """Spend in one window and currency, in nano-units. `parts` splits all inference spend of the window."""

    window: str  # 1d, 7d, 30d, month
    currency: str
    low_nano: int
    best_nano: int
    high_nano: int
    avoidable_nano: int
    parts: Mapping[str, int]  # delivered, orphaned, cut_short, failed, unattributed


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run, as the ledger remembers it. `outcome`: ok, problem (a source failed), invariant."""

    run_id: int
    recorded_at_us: int
    outcome: str
    duration_ms: int
    rows_new: int


@dataclass(frozen=True, slots=True)
class LedgerSummary:
    """Everything any outside view may draw, frozen. `families` is keyed by metric name without the prefix."""

    as_of_us: int
    recorded_at_us: int | None
    currency: str
    families: Mapping[str, tuple[Series, ...]]
    histograms: Mapping[str, tuple[HistogramSeries, ...]]
    windows: tuple[WindowSpend, ...]
    sources: tuple[SourceStatus, ...]
    problems: tuple[ProblemCount, ...]
    runs: tuple[RunRecord, ...]
    verdicts: Mapping[str, int] = field(default_factory=dict)  # verdict -> aborts in the last 30 days
    evidence: Mapping[str, int] = field(default_factory=dict)  # evidence -> aborts in the last 30 days


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What one run did: the canonical log line, and the summary that the outside views draw."""

    run: RunRecord
    sources_failed: tuple[str, ...]
    counts: Mapping[str, int]
    ledger: LedgerSummary


def instant_text(at_us: int) -> str:
    """`at_us` as RFC 3339 in UTC with microseconds."""
    moment = datetime.fromtimestamp(at_us // 1_000_000, UTC).replace(microsecond=at_us % 1_000_000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instant_us(moment: datetime) -> int:
    """A timezone-aware `moment` as microseconds since 1970."""
    return (
        round(moment.timestamp()) * 1_000_000
        if moment.microsecond == 0
        else (int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + moment.microsecond)
    )
