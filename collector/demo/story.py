"""The demo's story as plain text: what was found beside the truth, how sure, and where to look.

Figures come in, lines of text go out. It computes nothing but differences and shares of what it is given.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from textwrap import wrap

from collector.demo import compare
from collector.demo.cast import HOUR_US
from collector.demo.compare import Found, Line
from collector.demo.truth import Parts
from collector.demo.world import Day
from collector.money import rounded_text
from collector.records import LedgerSummary, instant_text

WIDTH = 88
OUTCOMES = {"new": "records", "duplicate": "duplicates", "problem": "unreadable", "ignored": "ignored"}
REASONS = {
    "timeout": "timeout (10 s or 60 s)", "cancelled": "stream cancelled by the program",
    "interrupt": "Ctrl-C", "vanished": "process killed", "error": "connection broke",
    "disconnect": "left, and only nginx saw it",
}  # fmt: skip
NGINX = {
    "status 499": "status 499", "status 200, cut off": "status 200, answer cut off",
    "status 200, complete": "status 200, answer complete *", "status 503, complete": "status 503",
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

    def parts(self) -> Parts:
        """The five parts that the settled bill is split into."""
        return Parts(self.delivered, self.orphaned, self.cut_short, self.failed, self.unattributed)


def story(day: Day, summary: LedgerSummary, found: Sequence[Found], books: Books) -> Iterator[str]:
    """The lines of the text, down to the bill."""
    yield from _day(day, summary)
    yield from _headline(day, summary, found)
    yield from _lines("By service, USD", compare.by_service(found, day.losses))
    yield from _lines("By reason, USD", compare.by_reason(found, day.losses))
    yield from _nginx(found)
    yield from _sureness(day, summary, found)
    yield from _causes(day, found)
    yield from _bill(day, books)


def orphans(found: Sequence[Found], command: str, config: Path) -> Iterator[str]:
    """The three most expensive, each with the command that tells its life."""
    yield from _title("The three most expensive orphans")
    for one in compare.dearest(found, 3):
        why = REASONS.get(one.reason, one.reason)
        yield f"  {rounded_text(one.lost_nano, 4)} USD  {one.service}, {why}: {_life(one)}"
        yield f"    {command} explain {one.call_id} --config {config}"


def _life(one: Found) -> str:
    if one.ended_at_us is None:
        return f"the work took {_seconds(one.started_at_us, one.finished_at_us)}"
    waited = _seconds(one.started_at_us, one.ended_at_us)
    return f"left after {waited}, ran on for {_seconds(one.ended_at_us, one.finished_at_us)}"


def _title(text: str) -> Iterator[str]:
    yield ""
    yield text
    yield "-" * len(text)


def _text(words: str) -> Iterator[str]:
    """A paragraph."""
    yield from wrap(words, WIDTH)


def _day(day: Day, summary: LedgerSummary) -> Iterator[str]:
    yield "A day of inference, and what of it nobody waited for"
    yield "===================================================="
    yield from _text(
        f"{day.calls:,} calls from {_short(day.start_us)} to {_short(day.end_us)}. Arrival times and token "
        f"counts are those of a real hour of {day.trace_rows:,} requests (Azure LLM inference trace 2023, "
        "CC-BY 4.0), thinned to the shape of a day. Who leaves when, thinking, speeds, logs and the bill are "
        "simulated with a fixed seed, so the truth is known."
    )
    yield ""
    for source in summary.sources:
        counts = [(source.records.get(outcome, 0), word) for outcome, word in OUTCOMES.items()]
        read = ", ".join(f"{count:,} {word}" for count, word in counts if count)
        yield f"  read {source.source:<9}{source.kind:<20}{read}"


def _headline(day: Day, summary: LedgerSummary, found: Sequence[Found]) -> Iterator[str]:
    whole = compare.total(found, day.losses)
    alone = next((entry for entry in compare.by_nginx(found) if "499" in entry[0]), ("", 0, 0))
    window = next(one for one in summary.windows if one.window == "7d" and one.currency == "USD")
    yield from _title(f"Found: {rounded_text(whole.found_nano)} USD for results that reached nobody")
    yield f"  {'':<33}{'aborts':>8}{'USD':>10}"
    yield f"  {'by nginx status 499 alone':<33}{alone[1]:>8,}{rounded_text(alone[2]):>10}"
    yield (
        f"  {'found':<33}{whole.aborts:>8,}{rounded_text(whole.found_nano):>10}"
        f"   bounds {rounded_text(window.low_nano)} to {rounded_text(window.high_nano)}"
    )
    share = f"{whole.true_nano / max(day.spent_nano, 1):.1%}"
    yield (
        f"  {'truth':<33}{len(day.losses):>8,}{rounded_text(whole.true_nano):>10}"
        f"   {share} of the {rounded_text(day.spent_nano)} that all calls cost"
    )
    yield f"  {'found, less truth':<33}{'':>8}{rounded_text(whole.difference_nano):>10}   {_off(whole)}"
    saved = sum(loss.avoidable_nano for loss in day.losses)
    yield (
        f"  {'a cancel would have saved, found':<33}{'':>8}{rounded_text(window.avoidable_nano):>10}"
        f"   truth {rounded_text(saved)}"
    )


def _lines(title: str, lines: Sequence[Line]) -> Iterator[str]:
    yield from _title(title)
    yield f"  {'':<33}{'aborts':>8}{'found':>10}{'truth':>10}{'difference':>16}"
    for line in lines:
        yield (
            f"  {REASONS.get(line.name, line.name):<33}{line.aborts:>8,}"
            f"{rounded_text(line.found_nano, 4):>10}{rounded_text(line.true_nano, 4):>10}"
            f"{_cents(line.difference_nano):>16}"
        )


def _nginx(found: Sequence[Found]) -> Iterator[str]:
    yield from _title("What nginx had logged for these aborts, USD")
    for logged, aborts, nano in compare.by_nginx(found):
        yield f"  {NGINX.get(logged, logged):<33}{aborts:>8,}{rounded_text(nano):>10}"
    yield from _text(
        "* With proxy_ignore_client_abort on, nginx takes the whole answer and has nobody to give it to; "
        "only the client's own log shows that it left."
    )


def _sureness(day: Day, summary: LedgerSummary, found: Sequence[Found]) -> Iterator[str]:
    yield from _title("How sure")
    yield f"  verdicts  {_counted(Counter(one.verdict for one in found))}"
    yield f"  in truth  {_counted(Counter(loss.verdict for loss in day.losses))}"
    yield f"  evidence  {_counted(Counter(one.evidence for one in found))} (exact: joined by an id)"
    basis = Counter(one.basis or "without an amount" for one in found)
    yield f"  amounts   {_counted(basis)} (billed: a share of the bill)"
    for problem in summary.problems:
        yield f"  problem   {problem.count:,} of {problem.source}: {problem.kind}; {problem.example}"


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counter.most_common())


def _causes(day: Day, found: Sequence[Found]) -> Iterator[str]:
    yield from _title("Why found and truth differ")
    for line in compare.causes(found, day.losses).values():
        yield f"  {line.name:<50}{line.aborts:>6,} aborts{_cents(line.difference_nano, 3):>18}"


def _bill(day: Day, books: Books) -> Iterator[str]:
    """The identity, to the last nano-unit."""
    yield from _title(f"The bill up to {_short(day.bill_to_us)}, settled, USD")
    found, true = books.parts(), day.settled
    adds_up = "adds up to the last digit" if found.total() == books.billed else "DOES NOT ADD UP"
    yield f"  {'':<20}{'found':>16}{'truth':>16}"
    yield f"  {'billed':<20}{_exact(books.billed):>16}{_exact(true.total()):>16}   {adds_up}"
    for index, field in enumerate(fields(Parts)):
        sign = "+" if index else "="
        name = f"{sign} {field.name.replace('_', ' ')}"
        yield f"  {name:<20}{_exact(getattr(found, field.name)):>16}{_exact(getattr(true, field.name)):>16}"
    hours = (day.end_us - day.bill_to_us) // HOUR_US
    yield from _text(
        "Unattributed is what no log shows: here a script that nobody watches, and completions lost to "
        f"the log. The last {hours} hours are not billed in full yet: {rounded_text(books.billed_so_far)} "
        f"so far, estimated {rounded_text(books.estimated)}. Storage and tax on the same bill: "
        f"{rounded_text(books.other)}. The demo lowers billing.settle_after from 48h to 12h, because its "
        "bill is a day old."
    )


def _exact(nano: int) -> str:
    return f"{Decimal(nano).scaleb(-9):,.9f}"


def _off(line: Line) -> str:
    if not line.true_nano:
        return ""
    return f"{_cents(line.difference_nano)}, {line.difference_nano / line.true_nano:+.2%}"


def _cents(nano: int, places: int = 2) -> str:
    """A difference in cents, with its sign."""
    text = rounded_text(nano * 100, places)
    if not text.strip("-0."):
        return f"{text.lstrip('-')} cents"
    return f"{'+' if nano > 0 else ''}{text} cents"


def _seconds(from_us: int, to_us: int | None) -> str:
    return "an unknown time" if to_us is None else f"{(to_us - from_us) / 1_000_000:,.0f} s"


def _short(at_us: int) -> str:
    return f"{instant_text(at_us)[:16].replace('T', ' ')} UTC"
