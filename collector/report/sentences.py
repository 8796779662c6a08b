"""The sentences of the report: every one is computed from `Figures`, and says what it does not know.

Figures come in, plain text goes out; the page escapes it. Nothing is read and no figure is computed here but
sums, differences and shares.
"""

from collections.abc import Iterator
from decimal import Decimal

from collector.records import WindowSpend
from collector.report.figures import Figures, Money, WeekSpend
from collector.report.words import agreed, amount, counted, instant, listed, share

CENT_NANO = 10_000_000
SMALL_SHARE = Decimal("0.01")  # of all inference spend: below it, the figure is called small
_LOST = ("orphaned", "cut_short")
_FATES = {
    "orphaned": ("ran on for nobody", "ran on for nobody"),
    "cut_short": ("was stopped by the backend", "were stopped by the backend"),
    "delivered": ("had its answer after all", "had their answer after all"),
    "failed": ("failed in the backend", "failed in the backend"),
    "pending": ("still waits for a completion", "still wait for a completion"),
    "unmatched": ("found no completion", "found no completion"),
}
EVIDENCE_WORDS = {
    "exact": "joined by an id that caller and backend both logged",
    "probable": "joined by time, model, account and size",
    "assumed": "no completion log is read for the provider; its policy and prices say what was billed",
    "none": "no completion was found",
}  # fmt: skip


def total_nano(spend: WindowSpend) -> int:
    """All inference spend of a window."""
    return sum(spend.parts.values())


def when(figures: Figures) -> str:
    """The week in words."""
    name = f"the week of {figures.week.days} ({figures.week.name}, UTC)"
    return f"{name} so far, up to {instant(figures.known_us)}," if figures.under_way else name


def headline(figures: Figures, money: Money | None) -> str:
    """The first sentence: the number, its interval and its share."""
    if not figures.known or money is None:
        return f"Nothing is on record for {when(figures)}: no inference spend and no abort, so its figure is unknown."
    now = money.now
    if figures.unknown and not now.best_nano and money.currency == figures.currency:
        return f"What the orphaned inference of {when(figures)} cost is unknown.{_of_all(money)}"
    if not now.best_nano and not now.high_nano:
        return f"No orphaned spend was found in {when(figures)}.{_of_all(money)}"
    if not now.best_nano:
        return (
            f"No orphaned spend in {money.currency} is certain in {when(figures)}, but as much as "
            f"{amount(now.high_nano, money.currency)} is possible."
        )
    return (
        f"In {when(figures)} {amount(now.best_nano, money.currency)} went on inference whose result reached nobody"
        f"{_interval(money)}{_share_of_all(money)}."
    )


def _interval(money: Money) -> str:
    now = money.now
    if now.low_nano == now.best_nano == now.high_nano:
        return ", known exactly"
    return f" (90 % interval: {amount(now.low_nano, money.currency)} to {amount(now.high_nano, money.currency)})"


def _share_of_all(money: Money) -> str:
    whole = total_nano(money.now)
    if whole <= 0:
        return "; what all inference cost is unknown, so it has no share"
    return f", {share(money.now.best_nano, whole)} of all inference spend of {amount(whole, money.currency)}"


def _of_all(money: Money) -> str:
    whole = total_nano(money.now)
    if whole <= 0:
        return " What all inference cost is unknown."
    return f" All inference spend on record was {amount(whole, money.currency)}."


def change(money: Money, *, under_way: bool = False) -> str:
    """How the figure compares with the week before."""
    if money.weeks[-1].spend is None:
        return ""
    before, now = money.before, money.now
    if before is None:
        return "Nothing is on record for the week before, so there is no change to tell."
    if under_way:
        return f"The whole week before had {amount(before.best_nano, money.currency)}."
    moved = now.best_nano - before.best_nano
    if abs(moved) < CENT_NANO and (abs(moved) * 100 < before.best_nano or not moved):
        return f"That is as much as in the week before ({amount(before.best_nano, money.currency)})."
    word = "more" if moved > 0 else "less"
    relative = f" ({share(abs(moved), before.best_nano)})" if before.best_nano > 0 else ""
    told = f"That is {amount(abs(moved), money.currency)}{relative} {word} than in the week before"
    had = f"which had {amount(before.best_nano, money.currency)}"
    return f"{told}, {had}{_shares(money, before)}.{_overlap(now, before)}"


def _shares(money: Money, before: WindowSpend) -> str:
    if total_nano(before) <= 0 or total_nano(money.now) <= 0:
        return ""
    return f", {share(before.best_nano, total_nano(before))} of its inference spend"


def _overlap(now: WindowSpend, before: WindowSpend) -> str:
    if now.low_nano <= before.high_nano and before.low_nano <= now.high_nano:
        return " The two intervals overlap, so the change may be smaller than it looks, or none."
    return ""


def small(money: Money, *, unknown: int = 0) -> str:
    """That the figure is small, where it is; else nothing. Beside `unknown` aborts nothing is called small."""
    whole, now = total_nano(money.now), money.now
    if unknown or whole <= 0 or now.high_nano > SMALL_SHARE * whole:
        return ""
    if not now.best_nano and not now.high_nano:
        return "There is nothing to act on this week."
    return "Your orphaned spend is small: even the upper end of its interval is under 1 % of all inference spend."


def unknown(figures: Figures) -> str:
    """What has no known amount."""
    if not figures.unknown:
        return ""
    them = agreed(figures.unknown, "it")
    return (
        f"{counted(figures.unknown, 'abort')} lost something whose cost is unknown, because neither a price nor a bill "
        f"is known for {them}: the figure above does not contain {them}."
    )


def aborts(figures: Figures) -> str:
    """How many calls were left, and what became of them."""
    if not figures.known:
        return ""
    if not figures.aborts:
        return "No call was left before its answer had come."
    told = [
        f"{count:,} {one if count == 1 else many}"
        for name, (one, many) in _FATES.items()
        if (count := figures.verdicts.get(name, 0))
    ]
    if figures.aborts == 1:
        return f"1 call was left before its answer had come; its verdict is {next(iter(figures.verdicts))}."
    return f"{figures.aborts:,} calls were left before their answer had come: {listed(told)}."


def trend(money: Money) -> str:
    """What the eight weeks say."""
    known = [one for one in money.weeks if one.spend is not None]
    if not known:
        return f"Nothing is on record for any of the {len(money.weeks)} weeks."
    missing = len(money.weeks) - len(known)
    gap = f" Nothing is on record for the other {missing}." if missing > 1 else ""
    gap = " Nothing is on record for the other one." if missing == 1 else gap
    if len(known) == 1:
        return f"Only 1 of the {len(money.weeks)} weeks is on record, so there is no trend yet."
    most = max(known, key=lambda one: one.spend.best_nano if one.spend else 0)
    best = most.spend.best_nano if most.spend else 0
    return (
        f"Of the {len(known)} weeks on record, {most.week.name} had most, {amount(best, money.currency)}; "
        f"together they had {amount(sum(one.spend.best_nano for one in known if one.spend), money.currency)}.{gap}"
    )


def avoidable(money: Money) -> str:
    """What a cancel would have saved."""
    lost = money.now.best_nano
    if not lost:
        return ""
    blind = sum(row["avoidable_unknown"] for row in money.standing)
    saved = money.now.avoidable_nano
    told = (
        f"{amount(saved, money.currency)} of it ({share(saved, lost)}) was generated after the caller had left: "
        "a cancel that the backend honours would have saved that."
    )
    if not blind:
        return told
    return f"{told} For {counted(blind, 'abort')} it is unknown, because the instant of leaving is."


def sureness(money: Money) -> Iterator[str]:
    """How sure the figure is."""
    now, currency = money.now, money.currency
    if not now.best_nano and not now.high_nano:
        return
    yield (
        f"With a probability of 90 % the figure lies between {amount(now.low_nano, currency)} and "
        f"{amount(now.high_nano, currency)}; the best figure is {amount(now.best_nano, currency)}."
    )
    rows = [row for row in money.standing if row["evidence"] == "probable" and row["verdict"] in _LOST]
    pairs = sum(row["aborts"] for row in rows)
    if pairs:
        mean = sum(int(row["probability_ppm_sum"] or 0) for row in rows) / pairs / 1e6
        least = min(int(row["probability_ppm_min"] or 0) for row in rows) / 1e6
        yield (
            f"{counted(pairs, 'match', 'matches')} without an id {agreed(pairs, 'has')} a mean probability of "
            f"{mean:.2f}" + (f"; the least sure one has {least:.2f}." if pairs > 1 else ".")
        )
    estimated = _lost_by(money, "estimated")
    if estimated:
        yield f"{amount(estimated, currency)} of it ({share(estimated, now.best_nano)}) is estimated by dated prices."


def _lost_by(money: Money, basis: str) -> int:
    rows = [row for row in money.standing if row["basis"] == basis and row["verdict"] in _LOST]
    return sum(int(row["lost_nano"] or 0) for row in rows)


def bill(figures: Figures, money: Money) -> Iterator[str]:
    """What the bill says of the week."""
    settled, other = money.bill.get("settled"), money.bill.get("other")
    currency = money.currency
    if settled is None:
        yield "No part of this week's bill is settled, so every amount above is an estimate by dated prices."
    else:
        count = settled["buckets"]
        yield (
            f"{amount(settled['billed_nano'], currency)} of this week is billed and settled, in "
            f"{counted(count, 'bucket')} (a model, usage kind and hour or day of the bill)."
        )
        yield from _price_book(int(settled["compared_billed_nano"]), int(settled["compared_estimated_nano"]), currency)
    if other is not None and other["billed_nano"]:
        beside = amount(other["billed_nano"], currency)
        yield f"{beside} more on the same bill is no inference that is known (storage, tax)."
    for provider, account, through_us in figures.settled_through:
        yield f"The bill of {provider}, account {account or 'unnamed'}, is settled through {instant(through_us)}."


def _price_book(billed: int, estimated: int, currency: str) -> Iterator[str]:
    if billed <= 0 or estimated <= 0:
        return
    drift = Decimal(billed - estimated) * 100 / Decimal(estimated)
    if abs(drift) < Decimal("0.05"):
        yield "The dated prices agree with the bill to a tenth of a per cent."
        return
    word = "more" if drift > 0 else "less"
    yield (
        f"The bill says {abs(drift):.1f} % {word} than the dated prices for what was logged "
        f"({amount(billed, currency)} against {amount(estimated, currency)})."
    )


def unsettled(figures: Figures, money: Money) -> Iterator[str]:
    """What may still change."""
    open_ = money.bill.get("open")
    if open_ is not None:
        known = open_["buckets"] - open_["without_estimate"]
        est = amount(open_["estimated_nano"], money.currency) if known else "an unknown amount"
        yield (
            f"{counted(open_['buckets'], 'bucket')} of the week {agreed(open_['buckets'], 'is')} not settled: "
            f"{amount(open_['billed_nano'], money.currency)} billed so far, {est} expected by dated prices."
        )
        if known and open_["without_estimate"]:
            blind = open_["without_estimate"]
            yield f"{counted(blind, 'bucket')} of them {agreed(blind, 'has')} no price, so what to expect is unknown."
    waiting, lone = figures.verdicts.get("pending", 0), figures.verdicts.get("unmatched", 0)
    if waiting:
        yield f"{counted(waiting, 'abort')} still {'waits' if waiting == 1 else 'wait'} for a completion."
    if lone:
        it = "it" if lone == 1 else "they"
        yield (
            f"{counted(lone, 'abort')} found no completion; what {it} cost is unknown, and the high bound allows "
            "for it."
        )
    if open_ is None and not waiting and not lone:
        yield "Nothing: every bucket of the week is settled, and every abort has its completion."


def corrections(money: Money) -> str:
    """What became of the earlier weeks' figures since their own reports could first tell them."""
    earlier = [one for one in money.weeks[:-1] if one.spend is not None and one.told_nano is not None]
    changed = [one for one in earlier if moved(one)]
    if not earlier:
        return "No earlier week had been reported, so there is nothing to correct."
    if not changed:
        return f"None: {counted(len(earlier), 'earlier week')} {agreed(len(earlier), 'has')} the figure first told."
    net = sum(moved(one) for one in changed)
    direction = "up" if net > 0 else "down"
    sum_told = f"{direction} by {amount(abs(net), money.currency)} in all" if net else "by nothing in all"
    return (
        f"{counted(len(changed), 'earlier week')} of {len(earlier)} {agreed(len(changed), 'has')} another figure than "
        f"{agreed(len(changed), 'its')} report could tell when it was due: {sum_told}."
    )


def moved(one: WeekSpend) -> int:
    """By how much a week's figure has changed since its report was due."""
    return (one.spend.best_nano if one.spend else 0) - (one.told_nano or 0)


def problems(figures: Figures) -> str:
    """What was wrong with the data that the figures are made of."""
    if not figures.problems:
        return "No problem with the data was put on record since the week began."
    told = [f"{kind} ({count:,})" for kind, count in figures.problems]
    return (
        f"Problems with the data put on record since the week began: {listed(told)}. "
        "List them with: orphaned export problems"
    )


def summary(figures: Figures) -> list[str]:
    """The first paragraph, sentence by sentence, of the headline currency."""
    money = next((one for one in figures.monies if one.currency == figures.currency), None)
    told = [headline(figures, money)]
    if figures.known and money is not None:
        told += [change(money, under_way=figures.under_way), small(money, unknown=figures.unknown)]
        told += [unknown(figures), aborts(figures)]
    return [one for one in told if one]
