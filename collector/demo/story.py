"""The demo's story as plain text: what was found beside the truth, how sure, and where to look.

Figures come in, text goes out. It computes nothing but differences and shares of what it is given.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from collector.demo import compare
from collector.demo.cast import HOUR_US
from collector.demo.compare import Found, Line
from collector.demo.world import Day
from collector.money import rounded_text
from collector.records import LedgerSummary, instant_text

WIDTH = 98
REASONS = {
    "timeout": "timeout, of 10 s or 60 s", "cancelled": "stream cancelled by its program",
    "interrupt": "Ctrl-C", "vanished": "process killed", "error": "connection broke",
    "disconnect": "left, seen by nginx only",
}  # fmt: skip
NGINX = {
    "status 499": "status 499", "status 200, cut off": "status 200, answer cut off",
    "status 200, complete": "status 200, answer complete",
    "": "nothing: no nginx in the path",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Books:
    """The bill in nano-units (books.sql)."""

    billed: int
    delivered: int
    orphaned: int
    cut_short: int
    failed: int
    unattributed: int
    estimated: int
    billed_so_far: int
    other: int
    buckets: int


def story(day: Day, summary: LedgerSummary, found: Sequence[Found], books: Books) -> Iterator[str]:
    """The lines of the text, down to the most expensive orphans."""
    yield from _day(day, summary)
    yield from _headline(day, summary, found)
    yield from _tables(day, found)
    yield from _sureness(summary, found)
    yield from _causes(day, found)
    yield from _bill(day, books)


def orphans(found: Sequence[Found], command: str, config: Path) -> Iterator[str]:
    """The three most expensive, each with the command that tells its life."""
    yield from _title("The three most expensive orphans")
    for one in compare.dearest(found, 3):
        waited = _seconds(one.started_at_us, one.ended_at_us)
        ran_on = _seconds(one.ended_at_us or one.started_at_us, one.finished_at_us)
        left = f"left after {waited}, ran on for {ran_on}" if one.ended_at_us else f"killed; work took {ran_on}"
        yield f"  {rounded_text(one.lost_nano, 4)} USD  {one.service}, {REASONS.get(one.reason, one.reason)}: {left}"
        yield f"    {command} explain {one.call_id} --config {config}"


def _title(text: str) -> Iterator[str]:
    yield ""
    yield text
    yield "-" * len(text)


def _day(day: Day, summary: LedgerSummary) -> Iterator[str]:
    yield "A day of inference, and what of it nobody waited for"
    yield "===================================================="
    yield f"{day.calls:,} calls, {_short(day.start_us)} to {_short(day.end_us)}. Arrival times and token counts: one real hour of"
    yield "8,819 requests (Azure LLM inference trace 2023, CC-BY 4.0), thinned to the shape of a day. Simulated with"
    yield "a fixed seed: who leaves when, thinking, speeds, logs and the bill. So the truth is known."
    yield ""
    for source in summary.sources:
        counted = [f"{count:,} {outcome}" for outcome, count in source.records.items() if count]
        yield f"  read  {source.source:<8} {source.kind:<18} {', '.join(counted)}"


def _headline(day: Day, summary: LedgerSummary, found: Sequence[Found]) -> Iterator[str]:
    whole = compare.total(found, day.losses)
    alone = next((entry for entry in compare.by_nginx(found) if "499" in entry[0]), ("", 0, 0))
    window = next(one for one in summary.windows if one.window == "7d" and one.currency == "USD")
    share = f"{whole.found_nano / max(day.spent_nano, 1):.1%}"
    yield from _title(f"Found: {rounded_text(whole.found_nano)} USD for results that reached nobody, {share} of the day's spend")
    yield f"  {'':<34}{'aborts':>8}{'USD':>10}"
    yield f"  {'by nginx status 499 alone':<34}{alone[1]:>8,}{rounded_text(alone[2]):>10}"
    yield (
        f"  {'found':<34}{whole.aborts:>8,}{rounded_text(whole.found_nano):>10}"
        f"   between {rounded_text(window.low_nano)} and {rounded_text(window.high_nano)}"
    )
    yield (
        f"  {'truth':<34}{len(day.losses):>8,}{rounded_text(whole.true_nano):>10}"
        f"   found is {_cents(whole.difference_nano)} off ({_percent(whole)})"
    )
    saved = sum(loss.avoidable_nano for loss in day.losses)
    yield (
        f"  {'of which a cancel would have saved':<34}{'':>8}{rounded_text(window.avoidable_nano):>10}"
        f"   truth {rounded_text(saved)}"
    )


def _tables(day: Day, found: Sequence[Found]) -> Iterator[str]:
    yield from _title("By service and by reason, USD")
    yield f"  {'':<34}{'aborts':>8}{'found':>10}{'truth':>10}{'off by':>16}"
    for line in compare.by_service(found, day.losses):
        yield _row(line.name, line)
    yield ""
    for line in compare.by_reason(found, day.losses):
        yield _row(REASONS.get(line.name, line.name), line)
    yield from _title("What nginx had logged for these aborts")
    for logged, aborts, nano in compare.by_nginx(found):
        yield f"  {NGINX.get(logged, logged):<34}{aborts:>8,}{rounded_text(nano):>10}"
    yield "  'Complete' is an nginx with proxy_ignore_client_abort on: it took the answer and had nobody to give it to."


def _row(name: str, line: Line) -> str:
    off = f"{_cents(line.difference_nano)}"
    return (
        f"  {name:<34}{line.aborts:>8,}{rounded_text(line.found_nano, 4):>10}"
        f"{rounded_text(line.true_nano, 4):>10}{off:>16}"
    )


def _sureness(summary: LedgerSummary, found: Sequence[Found]) -> Iterator[str]:
    yield from _title("How sure")
    verdicts = Counter(one.verdict for one in found)
    evidence = Counter(one.evidence for one in found)
    basis = Counter(one.basis or "none" for one in found)
    yield f"  verdict   {_counted(verdicts)}"
    yield f"  evidence  {_counted(evidence)}   (exact: call and completion share an id)"
    yield f"  money     {_counted(basis)}   (billed: a share of the settled bill)"
    for problem in summary.problems:
        yield f"  problem   {problem.count:,} x {problem.source}: {problem.kind}, such as {problem.example}"


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counter.most_common())


def _causes(day: Day, found: Sequence[Found]) -> Iterator[str]:
    yield from _title("Why found and truth differ")
    for line in compare.causes(found, day.losses).values():
        yield f"  {line.aborts:>6,} aborts {_cents(line.difference_nano, 3):>15}   {line.name}"


def _bill(day: Day, books: Books) -> Iterator[str]:
    """The identity, to the last nano-unit."""
    yield from _title(f"The bill of the hours up to {_short(day.bill_to_us)}, settled, USD")
    parts = {
        "delivered": books.delivered, "orphaned": books.orphaned, "cut short": books.cut_short,
        "failed": books.failed, "unattributed": books.unattributed,
    }  # fmt: skip
    adds_up = "=" if sum(parts.values()) == books.billed else "IS NOT"
    yield f"  billed {rounded_text(books.billed, 9)} {adds_up} the sum of {books.buckets} hours, models and kinds of token:"
    for name, nano in parts.items():
        yield f"    {'+' if name != 'delivered' else ' '} {name:<14}{rounded_text(nano, 9):>16}"
    yield (
        f"  unattributed is what no log shows: a script that nobody watches truly used "
        f"{rounded_text(day.unwatched_nano)} in the whole day."
    )
    hours = (day.end_us - day.bill_to_us) // HOUR_US
    yield (
        f"  The last {hours} hours are not billed in full yet: estimated {rounded_text(books.estimated)}, "
        f"billed so far {rounded_text(books.billed_so_far)}."
    )
    yield f"  Storage and tax on the same bill, no part of the above: {rounded_text(books.other)}."
    yield "  (The demo sets billing.settle_after to 12h instead of 48h: its bill is a day old.)"


def _cents(nano: int, places: int = 2) -> str:
    """A difference in cents, with its sign."""
    text = rounded_text(nano * 100, places)
    zero = not text.strip("-0.")
    return f"{'' if zero or nano < 0 else '+'}{text.lstrip('-') if zero else text} cents"


def _percent(line: Line) -> str:
    return f"{line.difference_nano / line.true_nano:+.2%}" if line.true_nano else "no truth"


def _seconds(from_us: int, to_us: int | None) -> str:
    return "unknown" if to_us is None else f"{(to_us - from_us) / 1_000_000:,.0f} s"


def _short(at_us: int) -> str:
    return f"{instant_text(at_us)[:16].replace('T', ' ')} UTC"
