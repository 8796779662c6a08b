"""What the queries of the dashboards must say, reckoned from the ledger's rows, without SQL and without PromQL.

In: the ledger as it stood at two instants (`Known`), and what is chosen in the dashboards' variables. Out: `Books`,
whose methods give label sets with figures, as Prometheus must answer. Money is in units of the currency.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from collector.config import Config
from collector.ledger.summary import BOUNDS_S
from collector.records import LedgerSummary, WindowSpend
from tests.helpers import DAY_US, Row, counters, verdicts
from tests.scraped import Answer

NANO = 10**9
CAUSE = {"provider": "provider", "model": "model", "service_name": "service", "reason": "reason"}
# The labels of the counters, in the order of the ledger's lists.
LABELS = {
    "aborts_total": ("provider", "model", "service_name", "reason", "verdict"),
    "abort_wait_seconds_bucket": ("provider", "model", "le"),
    "overrun_seconds_bucket": ("provider", "model", "le"),
    "timeout_overrun_seconds_bucket": ("provider", "model", "service_name", "le"),
    "run_duration_seconds_bucket": ("le",),
    "source_records_total": ("source", "outcome"),
    "spend_corrected_up_total": ("provider", "model", "service_name", "reason", "currency"),
    "spend_corrected_down_total": ("provider", "model", "service_name", "reason", "currency"),
    "verdict_changes_total": ("from", "to"),
}
SHOWN_FROM_0 = frozenset({"source_records_total", "verdict_changes_total"})  # their labels are known in advance
Labels = Mapping[str, str]


@dataclass(frozen=True)
class Chosen:
    """The dashboards' variables; None stands for All."""

    currency: str = "USD"
    window: str = "7d"
    model: str | None = None
    service: str | None = None

    @property
    def only(self) -> dict[str, str]:
        """The filters by label, without those that let everything pass."""
        return {label: value for label, value in (("model", self.model), ("service_name", self.service)) if value}


@dataclass(frozen=True)
class Known:
    """The ledger after one run."""

    summary: LedgerSummary
    verdicts: list[Row]
    counters: dict[tuple[str, ...], int]

    @classmethod
    def now(cls, config: Config, summary: LedgerSummary) -> "Known":
        """What is in the ledger, which `summary` was drawn from."""
        return cls(summary, verdicts(config), counters(config))

    def window(self, span: str, currency: str) -> WindowSpend:
        """One window of the summary."""
        return next(one for one in self.summary.windows if (one.window, one.currency) == (span, currency))

    def families(self, name: str) -> dict[tuple[str, ...], float]:
        """The series of one family of the summary."""
        return {series.labels: series.value for series in self.summary.families[name]}

    def counted(self, name: str) -> dict[tuple[str, ...], int]:
        """The series of one counter; a histogram has every bound, as it is exposed."""
        held = {key[1:]: value for key, value in self.counters.items() if key[0] == name}
        if not name.endswith("_bucket"):
            return held
        bounds = [("9000000000" if bound == float("inf") else f"{bound:g}", bound) for bound in BOUNDS_S]
        return {
            (*labels, "+Inf" if bound == float("inf") else str(bound)): held.get((*labels, text), 0)
            for labels in {key[:-1] for key in held}
            for text, bound in bounds
        }


@dataclass(frozen=True)
class Books:
    """Two states of one ledger, what is chosen, and the instants of the scrapes between which counters grew."""

    before: Known
    after: Known
    chosen: Chosen
    at_s: float
    seconds: float

    # -- money of windows, from the verdicts ---------------------------------------------------------------------

    def lost(self, span: str, *by: str, only: Labels | None = None) -> Answer:
        """The best figures of what was lost in a window, by who caused it."""
        rows = [row for row in self._lost_rows(span) if all(row[CAUSE[k]] == v for k, v in (only or {}).items())]
        known = {self._caused(row, by) for row in self._lost_rows("32d") if self._passes(row, only or {})}
        return _sums(((self._caused(row, by), row["orphaned_nano"]) for row in rows), zeros=known)

    def best(self, span: str) -> float:
        """The same, all in one figure."""
        return sum(self.lost(span).values())

    def best_before(self, span: str) -> float:
        """The same as it stood at the first scrape."""
        return replace(self, after=self.before).best(span)

    def avoidable(self, span: str) -> float:
        """What a cancel would have saved."""
        return float(sum(row["avoidable_nano"] or 0 for row in self._lost_rows(span))) / NANO

    def evidence(self, span: str) -> Answer:
        """What was lost, by evidence and basis."""
        made = ((_key(evidence=r["evidence"], basis=r["basis"]), r["orphaned_nano"]) for r in self._lost_rows(span))
        return _sums(made, zeros={_key(evidence=r["evidence"], basis=r["basis"]) for r in self._lost_rows("32d")})

    def estimated(self, span: str) -> float:
        """The share of the loss that is estimated."""
        found = self.evidence(span)
        return sum(v for key, v in found.items() if ("basis", "estimated") in key) / sum(found.values())

    def standing(self) -> Answer:
        """Aborts of 30 days by verdict and evidence."""
        rows = [row for row in self.after.verdicts if row["money_row"] and row["started_at_us"] > self._from("30d")]
        return _sums((_key(verdict=row["verdict"], evidence=row["evidence"]), NANO) for row in rows)

    def confidence(self) -> Answer:
        """The mean probability of probable matches, by provider and model."""
        found: dict[Any, list[float]] = defaultdict(list)
        for row in self.after.verdicts:
            if row["money_row"] and row["evidence"] == "probable" and row["started_at_us"] > self._from("30d"):
                found[_key(provider=row["provider"], model=row["model"])].append(row["match_probability"])
        return {key: round(sum(all_of) / len(all_of), 6) for key, all_of in found.items()}

    def _lost_rows(self, span: str) -> list[Row]:
        return [
            row for row in self.after.verdicts
            if row["money_row"] and row["verdict"] in {"orphaned", "cut_short"}
            and row["currency"] == self.chosen.currency and row["orphaned_nano"] is not None
            and (row["finished_at_us"] or row["ended_at_us"] or row["started_at_us"]) > self._from(span)
        ]  # fmt: skip

    def _from(self, span: str) -> int:
        now_us = self.after.summary.as_of_us
        if span == "month":
            now = datetime.fromtimestamp(now_us / 1e6, UTC)
            return int(datetime(now.year, now.month, 1, tzinfo=UTC).timestamp()) * 1_000_000
        return now_us - int(span.removesuffix("d")) * DAY_US

    def _passes(self, row: Row, only: Labels) -> bool:
        return all(row[CAUSE[label]] == value for label, value in only.items())

    def _caused(self, row: Row, by: Iterable[str]) -> tuple[tuple[str, str], ...]:
        return _key(**{label: row[CAUSE[label]] or "" for label in by})

    # -- the summary ---------------------------------------------------------------------------------------------

    def bound(self, span: str, bound: str) -> float:
        """A bound of a window."""
        return float(getattr(self.after.window(span, self.chosen.currency), f"{bound}_nano")) / NANO

    def parts(self, span: str) -> Answer:
        """All inference spend of a window by part."""
        parts = self.after.window(span, self.chosen.currency).parts
        return {_key(part=part): nano / NANO for part, nano in parts.items()}

    def part_share(self, span: str, part: str) -> float:
        """One part over all."""
        parts = self.parts(span)
        return parts[_key(part=part)] / sum(parts.values())

    def retried(self, span: str, only: Labels | None = None) -> Answer:
        """What was lost on attempts that were tried again, by service."""
        wanted = (only or {}).get("service_name")
        return {
            _key(service_name=service): nano / NANO
            for (window, service, currency), nano in self.after.families("window_retry_spend").items()
            if (window, currency) == (span, self.chosen.currency) and wanted in {None, service}
        }

    def honored(self, only: Labels | None = None) -> Answer:
        """The share of aborts for which the backend stopped, by model and mode."""
        found: dict[Any, list[float]] = defaultdict(lambda: [0, 0])
        for name, place in (("cancel_honored_aborts", 0), ("cancel_ignored_aborts", 1)):
            for (_, model, mode), count in self.after.families(name).items():
                if (only or {}).get("model") in {None, model}:
                    found[_key(model=model, mode=mode)][place] += count
        return {key: yes / (yes + no) for key, (yes, no) in found.items()}

    def drift(self) -> Answer:
        """Billed over estimated, less 1, by provider."""
        billed, estimated = (self.after.families(f"settled_{kind}_spend") for kind in ("billed", "estimated"))
        return {
            _key(provider=provider): nano / estimated[provider, currency] - 1
            for (provider, currency), nano in billed.items()
            if currency == self.chosen.currency
        }

    def ages(self, name: str, *labels: str) -> Answer:
        """Seconds since the instants of a family, at the scrape."""
        return {
            _key(**dict(zip(labels, values, strict=True))): self.at_s - instant
            for values, instant in self.after.families(name).items()
        }

    def problems(self) -> Answer:
        """Problems on record by source and kind."""
        return {_key(source=one.source, kind=one.kind): float(one.count) for one in self.after.summary.problems}

    # -- counters ------------------------------------------------------------------------------------------------

    def grown(self, name: str, *by: str, only: Labels | None = None) -> Answer:
        """How far a counter grew between the scrapes. What is first seen later has no growth to be seen."""
        labels, old = LABELS[name], self.before.counted(name)
        found: dict[Any, float] = defaultdict(float)
        if not by:
            found[()] = 0.0
        for values, value in self.after.counted(name).items():
            named = dict(zip(labels, values, strict=True))
            if all(named.get(label) == wanted for label, wanted in (only or {}).items()):
                unseen = 0 if name in SHOWN_FROM_0 else value
                found[_key(**{label: named[label] for label in by})] += value - old.get(values, unseen)
        return dict(found)

    def an_hour(self, name: str, *by: str, only: Labels | None = None) -> Answer:
        """The same in ones an hour."""
        return {key: 3600 * value / self.seconds for key, value in self.grown(name, *by, only=only).items()}

    def share_within(self, by: str, only: Labels, les: Iterable[str]) -> Answer:
        """Of the timeouts, the share whose answer was complete within each of `les`, by le or by service."""
        found = {}
        for le in les:
            part = self.grown("timeout_overrun_seconds_bucket", by, only={**only, "le": le})
            outer = () if by == "le" else (by,)
            whole = self.grown("timeout_overrun_seconds_bucket", *outer, only={**only, "le": "+Inf"})
            for key, value in part.items():
                total = whole.get(() if by == "le" else key, 0)
                if total:
                    found[key] = value / total
        return found

    def quantiles(self, level: float, name: str, *by: str, only: Labels | None = None) -> Answer:
        """A quantile of a histogram's growth, interpolated within its bucket, by labels."""
        groups: dict[Any, dict[float, float]] = defaultdict(dict)
        for key, value in self.grown(f"{name}_bucket", "le", *by, only=only).items():
            named = dict(key)
            groups[_key(**{label: named[label] for label in by})][float(named["le"].replace("+Inf", "inf"))] = value
        return {key: _quantile(level, bounds) for key, bounds in groups.items() if bounds[float("inf")]}


def _quantile(level: float, bounds: Mapping[float, float]) -> float:
    """As Prometheus reads it off a classic histogram of cumulative counts."""
    rank = level * bounds[float("inf")]
    upper = min(bound for bound, count in bounds.items() if count >= rank)
    if upper == float("inf"):
        return max(bound for bound in bounds if bound != float("inf"))
    lower = max((bound for bound in bounds if bound < upper), default=0.0)
    below = bounds.get(lower, 0.0)
    return lower + (upper - lower) * (rank - below) / (bounds[upper] - below)


def _key(**labels: str) -> tuple[tuple[str, str], ...]:
    """Labels as Prometheus' answers are keyed; an empty one is none."""
    return tuple(sorted((name, value) for name, value in labels.items() if value))


def _sums(rows: Iterable[tuple[Any, int]], zeros: Iterable[Any] = ()) -> Answer:
    """Amounts in nano-units by key, added up and in units; `zeros` are keys that are there without any."""
    found: dict[Any, int] = dict.fromkeys(zeros, 0)
    for key, nano in rows:
        found[key] = found.get(key, 0) + nano
    return {key: nano / NANO for key, nano in found.items()}


Expected = Callable[[Books], Answer | float]
