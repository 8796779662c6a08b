"""Changes and orphans in words: what to change and what was counted for it; what became of one dear call.

A change or a row of dearest.sql comes in, text goes out.
"""

from collections.abc import Iterator

from collector.exporters.telling import REASONS, SHARES
from collector.report.advice import CHANGES_MAX, RUNGS_S, Change
from collector.report.figures import Money, Row
from collector.report.words import SECOND_US, agreed, amount, counted, instant, limit, named, seconds, share

_TOKENS = {
    "input_tokens": "input", "cached_input_tokens": "cached input", "output_tokens": "output",
    "thinking_tokens": "thinking",
}  # fmt: skip
_AFTER = {
    "timeout": "a timeout", "interrupt": "an interrupt", "cancelled": "a cancel", "disconnect": "a lost connection",
    "error": "an error", "vanished": "the end of their process",
}  # fmt: skip


def title(change: Change) -> str:
    """What to change, in one line."""
    route = _route(change)
    match change.kind:
        case "timeout":
            noun = "timeouts" if " up to " in _limit(change) else "timeout"
            return f"Raise the {noun} of {route} from {_limit(change)} to {limit(change.target_us or 0)}"
        case "stream":
            return f"Let {route} stream, instead of waiting {_limit(change)} for the whole answer"
        case "batch":
            return f"Make {route} a batch or a background job: {_limit(change)} is not enough for it"
        case "died":
            return f"Make {route} a batch or a background job: its processes die before the answer comes"
        case "cancel":
            return f"Pass the cancellation of {route} on to the backend"
        case _:
            return f"Stop retrying {route} after {_AFTER.get(change.reason, change.reason)}"


def why(change: Change) -> str:
    """What was counted for it."""
    some, whole = change.counted, change.counted_of
    part = f"{some:,} of {whole:,} ({share(some, whole)})" if whole > 1 else "The only"
    answers = "aborted answers" if whole > 1 else "aborted answer"
    match change.kind:
        case "timeout" | "stream":
            by = limit(change.target_us or 0)
            arrived = f"{part} {answers} that came after the limit had come within {by} of the start"
            if change.kind == "timeout":
                return f"{arrived}."
            return (
                f"{arrived}. That is long to wait without a sign of life: a stream brings its first bytes early, "
                "and a timeout between bytes does not fire while they come."
            )
        case "batch":
            return (
                f"{part} {answers} had come within {limit(RUNGS_S[-1] * SECOND_US)} of the start, too few to wait for."
            )
        case "died":
            return (
                f"{counted(whole, 'answer')} {agreed(whole, 'was')} finished by the backend after "
                f"{agreed(whole, 'its')} caller's process had gone; a job keeps the answer for whoever comes back."
            )
        case "cancel":
            return (
                f"After {some:,} of its {counted(whole, 'abort')} the backend ran on, {seconds(change.overrun_us)} at "
                f"the median; for {named(change.other, 'service')}, on the same model, it stopped in "
                f"{change.other_counted:,} of {change.other_of:,}."
            )
        case _:
            kept = whole - some
            rest = "none brought an answer that is known" if not kept else f"{kept:,} may have brought an answer"
            return f"{some:,} of its {counted(whole, 'retry', 'retries')} {agreed(some, 'was')} lost as well; {rest}."


def saving(change: Change, currency: str) -> str:
    """What it would have saved this week."""
    best = f"Estimated saving: {amount(change.saved_nano, currency)} a week, as this week went"
    over = f"over {counted(change.aborts, 'abort')}"
    if change.low_nano == change.high_nano == change.saved_nano:
        return f"{best}, {over}."
    return f"{best} ({amount(change.low_nano, currency)} to {amount(change.high_nano, currency)}), {over}."


def no_change(money: Money) -> str:
    """Why there are fewer changes than three, where there are."""
    found = len(money.changes)
    if found == CHANGES_MAX or not money.now.best_nano:
        return ""
    if not found:
        return "No single change stands out: no pattern was counted in three aborts or more of one route."
    return f"No {'other' if found else ''} change was counted in three aborts or more of one route."


def foremost(money: Money) -> str:
    """The change that would save most, in one sentence for the top of the page; empty where there is none."""
    if not money.changes:
        return ""
    best = money.changes[0]
    saved = amount(best.saved_nano, money.currency)
    return f"What would save most, about {saved} a week: {title(best)[0].lower()}{title(best)[1:]}."


def changes_total(money: Money) -> str:
    """What all changes together would have saved."""
    if not money.changes:
        return ""
    saved = sum(one.saved_nano for one in money.changes)
    whole = money.now.best_nano
    many = "these changes together" if len(money.changes) > 1 else "this change"
    return (
        f"Of this week's {amount(whole, money.currency)}, {many} would have saved about "
        f"{amount(saved, money.currency)} ({share(saved, whole)}); no orphan is counted twice."
    )


def _limit(change: Change) -> str:
    """The limit that fired; where callers have many, the lowest and the highest."""
    low, high = change.deadline_us or 0, change.deadline_high_us or 0
    return limit(low) if low >= high else f"{limit(low)} up to {limit(high)}"


def _route(change: Change) -> str:
    mode = f", {change.mode}" if change.mode else ""
    operation = f", {change.operation}" if change.operation else ""
    return f"{named(change.service, 'service')} ({named(change.model, 'model')}{operation}{mode})"


def story(row: Row) -> Iterator[str]:
    """What became of one orphan, in a few sentences."""
    yield f"{instant(row['started_at_us'])}: {_left(row)}.{_work(row)}"
    share_told = SHARES.get(row["share_evidence"] or "")
    if row["verdict"] == "cut_short":
        yield "The backend stopped because of it."
    if share_told:
        yield f"How it is known what reached the caller: {share_told}."
    yield from _sure(row)
    yield from _retries(row)


def _left(row: Row) -> str:
    start, end = row["started_at_us"], row["ended_at_us"]
    what = f"a call of {named(row['service'], 'service')} to {named(row['model'], 'model')}"
    reason = REASONS.get(row["reason"], "was aborted")
    mode = {"stream": ", a stream,", "unary": ", waiting for the whole answer,"}.get(row["mode"], "")
    if end is None:
        return f"{what}{mode} {reason}"
    return f"{what}{mode} {reason} after {seconds(end - start)}"


def _work(row: Row) -> str:
    """How long the backend took, and what it made."""
    start, end, finish = row["started_at_us"], row["ended_at_us"], row["finished_at_us"]
    told = ""
    if finish is not None and row["verdict"] == "orphaned":
        ran_on = f"ran on for {seconds(finish - end)} and " if end is not None and finish > end else ""
        told = f" The backend {ran_on}ended {seconds(max(finish - start, 0))} after the start"
    made = [f"{row[name]:,} {word}" for name, word in _TOKENS.items() if row[name]]
    if not made:
        return f"{told}." if told else ""
    return f"{told}, with {', '.join(made)} tokens." if told else f" It had {', '.join(made)} tokens."


def _sure(row: Row) -> Iterator[str]:
    if row["evidence"] == "probable":
        yield f"The match has a probability of {row['match_probability'] or 0:.2f}."
    elif row["evidence"] == "assumed":
        yield "No completion log is read for this provider: its policy and prices decide."


def _retries(row: Row) -> Iterator[str]:
    if row["before_call_id"] is not None:
        yield f"It was attempt {row['before_attempt'] + 1}, a retry of {row['before_call_id']}."
    if row["next_call_id"] is not None:
        again = ", and that was lost as well" if row["next_verdict"] in {"orphaned", "cut_short"} else ""
        yield f"It was retried as {row['next_call_id']}{again}."
