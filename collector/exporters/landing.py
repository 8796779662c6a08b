"""The page at `/`: today's money, what is wrong, how fresh it is, in words, for a person who came by.

A `LedgerSummary` (or None), the present instant and the paths that are served come in; one page of HTML goes out,
whole, without scripts and without anything from the network. It refuses to say 0 where nothing was read, to load
itself again under a reader, and escapes every text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata
from importlib.resources import files
from typing import TYPE_CHECKING

from collector import __version__
from collector.money import rounded_text
from collector.records import LedgerSummary, RunRecord, SourceStatus, WindowSpend, instant_text

if TYPE_CHECKING:
    from jinja2 import Template

WINDOW_WORDS = {
    "1d": "the last 24 hours", "7d": "the last 7 days", "30d": "the last 30 days", "month": "this month (UTC)",
}  # fmt: skip
OUTCOME_WORDS = {
    "ok": "done", "problem": "done, but for a source that failed", "invariant": "rolled back: the books did not add up",
}  # fmt: skip
PATH_WORDS = {"/metrics": "Metrics", "/report": "Weekly report", "/healthz": "Health", "/readyz": "Readiness"}
PROBLEM_ROWS_MAX = 50
RUN_ROWS_MAX = 5
CENT_NANO = 10_000_000
_SPANS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_BAR_WIDTH, _MARK_WIDTH = 1000, 6


@dataclass(frozen=True, slots=True)
class SpendRow:
    """One window and currency, in words; `share` is empty where there was no inference spend at all."""

    window: str
    currency: str
    best: str
    low: str
    high: str
    avoidable: str
    total: str
    share: str


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run, in words."""

    number: int
    at: str
    age: str
    outcome: str
    took: str
    rows_new: str
    good: bool


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source, in words."""

    name: str
    kind: str
    up: bool
    state: str
    read_through: str
    lag: str
    records: str


def page(summary: LedgerSummary | None, now_us: int, *, trouble: str = "", paths: Iterable[str] = ("/metrics",)) -> str:
    """The page as HTML text, with links to those of `paths` that a person may want.

    `trouble` says why the figures are older than they should be, if so.
    """
    known = summary if summary and summary.recorded_at_us is not None else None
    served = set(paths)
    return _template().render(
        version=__version__,
        trouble=trouble,
        links=[(path, words) for path, words in PATH_WORDS.items() if path in served],
        documents=_documents(),
        seen=_seen(known, now_us) if known else None,
        sources=[_source_row(one, now_us) for one in summary.sources] if summary else [],
    )


@cache
def _documents() -> Mapping[str, str]:
    """Where the distribution says that its documentation and its runbooks are; empty where it does not."""
    try:
        named = metadata("orphaned-inference").get_all("Project-URL") or []
    except PackageNotFoundError:
        named = []
    told = {label.lower(): address for label, _, address in (text.partition(", ") for text in named)}
    return {label: told.get(label, "").rstrip("/") for label in ("documentation", "runbooks")}


@cache
def _template() -> "Template":
    # Imported here: the commands that draw no page should not wait for it.
    from jinja2 import Environment, StrictUndefined

    text = files("collector.exporters").joinpath("landing.html").read_text(encoding="utf-8")
    rules = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return rules.from_string(text)


def _seen(summary: LedgerSummary, now_us: int) -> Mapping[str, object]:
    """All that only a collector that has run can say."""
    spends = list(_in_order(summary))
    today = [
        one for one in spends if one.window == "1d" and (one.best_nano or one.high_nano or sum(one.parts.values()))
    ]
    settled = summary.families.get("bill_settled_through_timestamp_seconds", ())
    runs = sorted(summary.runs, key=lambda run: -run.run_id)
    broken = [run for run in runs if run.outcome == "invariant"]
    kinds = sorted(summary.problems, key=lambda one: -one.count)
    return {
        "today": [(_spend_row(one), _place(one), _evidence(summary, one.currency)) for one in today],
        "rows": [_spend_row(one) for one in spends],
        "as_of": _short(summary.as_of_us),
        "age": ago(summary.as_of_us, now_us),
        "runs": [_run_row(run, now_us) for run in runs[:RUN_ROWS_MAX]],
        "settled": [(*one.labels, _short(int(one.value) * 1_000_000)) for one in settled],
        "down": [one for one in summary.sources if not one.up],
        "problems": kinds[:PROBLEM_ROWS_MAX],
        "problems_more": max(0, len(kinds) - PROBLEM_ROWS_MAX),
        "broken": _short(max(run.recorded_at_us for run in broken)) if broken else "",
        "aborts": _counted(summary.evidence, _EVIDENCE_WORDS),
        "unmatched": summary.verdicts.get("unmatched", 0),
        "pending": summary.verdicts.get("pending", 0),
    }


_EVIDENCE_WORDS = {
    "exact": "joined by an id", "probable": "joined by time and size", "assumed": "assumed by policy",
    "none": "without evidence",
}  # fmt: skip


def _counted(counts: Mapping[str, int], words: Mapping[str, str]) -> str:
    """Such as "7 joined by an id, 2 assumed by policy"; empty where there is nothing."""
    return ", ".join(f"{counts[name]:,} {said}" for name, said in words.items() if counts.get(name))


def _evidence(summary: LedgerSummary, currency: str) -> str:
    """How the last day's figure was obtained: amounts by evidence and basis, where the summary tells them."""
    told = []
    for one in summary.families.get("window_evidence_spend", ()):
        window, evidence, basis, its_currency = one.labels
        if (window, its_currency) == ("1d", currency) and one.value:
            told.append((int(one.value), f"{_EVIDENCE_WORDS.get(evidence, evidence)} and {basis}"))
    return ", ".join(f"{money(nano)} {currency} {said}" for nano, said in sorted(told, reverse=True))


def _place(spend: WindowSpend) -> int | None:
    """Where the figure lies from its low bound (0) to its high one (`_BAR_WIDTH`); None where these are the same."""
    span_nano = spend.high_nano - spend.low_nano
    return (spend.best_nano - spend.low_nano) * (_BAR_WIDTH - _MARK_WIDTH) // span_nano if span_nano > 0 else None


def _run_row(run: RunRecord, now_us: int) -> RunRow:
    took = f"{run.duration_ms:,} ms"
    outcome = OUTCOME_WORDS.get(run.outcome, run.outcome)
    at, age = _short(run.recorded_at_us), ago(run.recorded_at_us, now_us)
    return RunRow(run.run_id, at, age, outcome, took, f"{run.rows_new:,}", run.outcome == "ok")


def _in_order(summary: LedgerSummary) -> Iterable[WindowSpend]:
    """The windows this page shows: the headline currency first, and the shortest window."""
    shown = [one for one in summary.windows if one.window in WINDOW_WORDS]
    order = list(WINDOW_WORDS)
    return sorted(shown, key=lambda one: (one.currency != summary.currency, one.currency, order.index(one.window)))


def _spend_row(spend: WindowSpend) -> SpendRow:
    total_nano = sum(spend.parts.values())
    return SpendRow(
        window=WINDOW_WORDS[spend.window],
        currency=spend.currency,
        best=money(spend.best_nano),
        low=money(spend.low_nano),
        high=money(spend.high_nano),
        avoidable=money(spend.avoidable_nano),
        total=money(total_nano),
        share=percent(spend.best_nano, total_nano),
    )


def _source_row(source: SourceStatus, now_us: int) -> SourceRow:
    watermark_us = source.watermark_at_us
    counted = [f"{count:,} {outcome}" for outcome, count in source.records.items() if count]
    return SourceRow(
        name=source.source,
        kind=source.kind,
        up=source.up and source.last_success_at_us is not None,
        state=_state(source, now_us),
        read_through=_short(watermark_us) if watermark_us is not None else "nothing yet",
        lag=span(now_us - watermark_us) if watermark_us is not None else "unknown",
        records=", ".join(counted) or "none",
    )


def _state(source: SourceStatus, now_us: int) -> str:
    if source.last_success_at_us is None:
        last = "never read so far"
    else:
        last = f"last read {ago(source.last_success_at_us, now_us)}"
    return f"works, {last}" if source.up else f"down ({source.error or 'no reason given'}), {last}"


def money(nano: int) -> str:
    """An amount for people: two decimals, and six where two would hide it."""
    if nano and abs(nano) < CENT_NANO:
        return rounded_text(nano, 6)
    return rounded_text(nano, 2)


def percent(part_nano: int, whole_nano: int) -> str:
    """`part_nano` of `whole_nano` as "3.0 %"; empty where there is no whole."""
    if whole_nano <= 0:
        return ""
    share = Decimal(part_nano) * 100 / Decimal(whole_nano)
    return f"{share.quantize(Decimal('0.1'), rounding=ROUND_HALF_EVEN)} %"


def span(length_us: int) -> str:
    """A length of time in its largest whole unit: "3 hours"."""
    seconds = max(0, length_us) // 1_000_000
    for unit_seconds, word in _SPANS:
        count = seconds // unit_seconds
        if count:
            return f"{count} {word}" if count == 1 else f"{count} {word}s"
    return "under a second"


def ago(at_us: int, now_us: int) -> str:
    """How long before `now_us` the instant was; what lies ahead is said with its time."""
    return f"{span(now_us - at_us)} ago" if at_us <= now_us else f"at {_short(at_us)}"


def _short(at_us: int) -> str:
    """An instant to the minute, UTC."""
    return f"{instant_text(at_us)[:16].replace('T', ' ')} UTC"
