"""The page at `/`: what was found, how fresh it is and what is wrong, in words, for a person who came by.

A `LedgerSummary` (or None) and the present instant come in; one page of HTML goes out, whole, without scripts
and without anything from the network. It refuses to say 0 where nothing was read, and escapes every text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from collector import __version__
from collector.money import rounded_text
from collector.records import LedgerSummary, SourceStatus, WindowSpend, instant_text

if TYPE_CHECKING:
    from jinja2 import Template

WINDOW_WORDS = {"7d": "the last 7 days", "month": "this month (UTC)"}
PROBLEM_ROWS_MAX = 50
CENT_NANO = 10_000_000
_SPANS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


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
class SourceRow:
    """One source, in words."""

    name: str
    kind: str
    state: str
    read_through: str
    lag: str
    records: str


def page(summary: LedgerSummary | None, now_us: int, *, trouble: str = "") -> str:
    """The page as HTML text. `trouble` says why the figures are older than they should be, if so."""
    return _template().render(
        version=__version__,
        trouble=trouble,
        seen=_seen(summary, now_us) if summary and summary.recorded_at_us is not None else None,
        sources=[_source_row(one, now_us) for one in summary.sources] if summary else [],
    )


@cache
def _template() -> "Template":
    # Imported here: the commands that draw no page should not wait for it.
    from jinja2 import Environment, StrictUndefined

    text = files("collector.exporters").joinpath("landing.html").read_text(encoding="utf-8")
    rules = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return rules.from_string(text)


def _seen(summary: LedgerSummary, now_us: int) -> Mapping[str, object]:
    """All that only a collector that has run can say."""
    rows = [_spend_row(one) for one in _in_order(summary)]
    settled = summary.families.get("bill_settled_through_timestamp_seconds", ())
    broken = [run for run in summary.runs if run.outcome == "invariant"]
    newest = max(summary.runs, key=lambda run: run.run_id, default=None)
    return {
        "headline": next((row for row in rows if row.currency == summary.currency), None),
        "rows": rows,
        "as_of": _short(summary.as_of_us),
        "age": ago(summary.as_of_us, now_us),
        "last_run": newest,
        "last_run_age": ago(newest.recorded_at_us, now_us) if newest else "",
        "settled": [(*one.labels, _short(int(one.value) * 1_000_000)) for one in settled],
        "down": [one for one in summary.sources if not one.up],
        "problems": sorted(summary.problems, key=lambda one: -one.count)[:PROBLEM_ROWS_MAX],
        "problems_more": max(0, len(summary.problems) - PROBLEM_ROWS_MAX),
        "broken": _short(max(run.recorded_at_us for run in broken)) if broken else "",
        "unmatched": summary.verdicts.get("unmatched", 0),
        "pending": summary.verdicts.get("pending", 0),
    }


def _in_order(summary: LedgerSummary) -> Iterable[WindowSpend]:
    """The windows this page shows: the headline currency first, then 7 days before the month."""
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
