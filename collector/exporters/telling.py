"""The life of a call in words: documents of `explain` come in, lines of text for a person go out.

Written to be understood at first reading: the outcome first, then what was seen, why it belongs together,
what reached the caller, and what it cost. It reads no ledger and rounds no amount.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from collector.exporters import job_telling

Document = dict[str, Any]
LINE_CHARS_MAX = 160

REASONS = {
    "interrupt": "was interrupted (Ctrl-C, SIGINT or SIGTERM)",
    "cancelled": "was cancelled by its program",
    "timeout": "ran into a timeout",
    "disconnect": "was left: the proxy saw the client go",
    "error": "was called failed by its observer, although the backend's work went well",
    "vanished": "started, and its process never reported anything again",
}
_VERDICTS = {
    "orphaned": "The backend ran on to its end, and some of the result reached nobody: that part is lost.",
    "cut_short": "The backend stopped because of it: what it had generated and nobody got is lost.",
    "delivered": "The whole answer had arrived after all: nothing is lost.",
    "failed": "The backend ended in an error of its own: the abort lost nothing.",
    "pending": "No completion has been found for it yet; it is waited for until {until} (its horizon).",
    "unmatched": "No completion was found for it in time: its cost is unknown; high bounds allow for it.",
}
SHARES = {
    "tokens": "the client counted the tokens that it got",
    "bytes": "the bytes that arrived, against a total that another observer saw to its end",
    "time": "by time: the answer is taken to be generated evenly between its first byte and its end",
    "unary": "no stream: an answer that is delivered whole or not at all, and it was not",
    "outside": "an observer further out, or one that absorbs, got the answer: nothing is lost",
    "vanished": "the process vanished: nothing that reached it counts as delivered",
    "nothing": "not one byte had arrived: all of it is lost, the input too",
    "assumed": "no completion is logged: policy, prices and what the client counted say it",
    "fetched": "a log shows that somebody fetched the job's result",
    "not fetched": "no log shows that anybody fetched the job's result",
    "none": "no log shows who left: nothing is taken as delivered",
}  # fmt: skip


def told(documents: Sequence[Document], wanted: str) -> str:
    """All attempts that bear the id, as text."""
    lines: list[str] = []
    if len(documents) > 1:
        lines += [f"{len(documents)} attempts bear the id {wanted}.", ""]
    for number, document in enumerate(documents, 1):
        if number > 1:
            lines += ["", ""]
        lines += _job(document) if "job" in document else _attempt(document)
    return "\n".join(lines) + "\n"


def _attempt(document: Document) -> Iterator[str]:
    title = _title(document)
    yield title
    yield "=" * len(title)
    yield from _outcome(document)
    yield from _section("What was seen (UTC)", _seen(document))
    for call in document["calls"]:
        yield from _section(f"What {call['call_id']} may be, by time and size", _rivals(call))
    for completion in document["completions"]:
        title = f"Why completion {completion['completion_id']} belongs to it"
        yield from _section(title, _joined(completion))
        yield from _section("What reached the caller", _reached(completion))
        yield from _section("What the price book says", _priced(completion))
        yield from _section("Its share of the bill", _billed(completion))
    yield from _section("How the verdict came about", _history(document))


def _job(document: Document) -> Iterator[str]:
    """The same for a job, whose life is longer than one call's."""
    title = job_telling.title(document)
    yield title
    yield "=" * len(title)
    yield from job_telling.outcome(document)
    verdict, work = document["calls"][0]["verdict"], document["completion"]
    if verdict:
        yield from _amounts(verdict, job_telling.after_leaving(document))
        yield from job_telling.saved(document)
        if work["disputed"]:
            yield _DISPUTED
    seen = _lines((event["at"], job_telling.event_words(event), event) for event in document["events"])
    yield from _section("What was seen (UTC)", seen)
    yield from _section("What the price book says", _priced(work))
    yield from _section("Its share of the bill", _billed(work))
    yield from _section("How the verdict came about", _history(document))


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    """A heading and its lines; nothing at all where there are none."""
    found = list(lines)
    if found:
        yield ""
        yield title
        yield from (f"  {line}" for line in found)


def _title(document: Document) -> str:
    calls = document["calls"]
    if not calls:
        return f"Completion {document['completions'][0]['completion_id']}, which no observer's log shows"
    names = [f"{call['call_id']} (seen by {call['observer']})" for call in calls]
    return f"Call {', '.join(names)}"


# The outcome ------------------------------------------------------------------------------------------------


def _outcome(document: Document) -> Iterator[str]:
    """What became of the attempt, in two or three sentences."""
    for call in document["calls"]:
        yield _call_sentence(call)
    judged = [call for call in document["calls"] if call["verdict"]]
    for call in judged:
        if call["verdict"]["money_row"]:
            verdict = call["verdict"]
            yield f"Verdict: {verdict['verdict']}, evidence {verdict['evidence']}{_sure(verdict)}."
            yield _VERDICTS[verdict["verdict"]].format(until=_until(document, call))
            yield from _amounts(verdict)
            if len(judged) > 1:
                yield f"The money stands on the row of {call['observer']}, the outermost; the others have 0."
    if not judged:
        yield _no_verdict(document)
    yield from document["retries"]
    story = " ".join(document["retries"])
    before = sorted({call["retry_of"] for call in document["calls"] if call["retry_of"]})
    if before and not any(one in story for one in before):
        yield f"It is a retry of {', '.join(before)}."
    retried = [one for one in document["retried_as"] if one not in story]
    if retried:
        yield f"It was tried again as {', '.join(retried)}."


def _sure(verdict: Document) -> str:
    """What stands behind the evidence, where its name does not say it."""
    if verdict["evidence"] == "assumed":
        return ": no log of completions is read for this provider, so its policy and prices decide"
    if verdict["evidence"] == "probable":
        sure = f"{verdict['match_probability'] or 0:.3f}"
        return f": matched by time, model, account and size, with probability {sure}"
    return ""


def _call_sentence(call: Document) -> str:
    after = f"after {_seconds(call)} " if _seconds(call) else ""
    who = f"{call['observer']}: {after}the call of {call['service'] or 'an unnamed service'}"
    reason = (call["verdict"] or {}).get("reason") or call["reason"]
    if call["verdict"]:
        return f"{who} {REASONS.get(reason, 'was aborted')}."
    if call["outcome"] == "delivered":
        return f"{who} was delivered."
    if call["outcome"] is None:
        return f"{who} has started; its end has not been logged (yet)."
    return f"{who} ended as {call['outcome']}{f', reason {reason}' if reason else ''}."


def _until(document: Document, call: Document) -> str:
    minutes = document["horizon_us"] / 60_000_000
    return f"{minutes:g} minutes after {call['ended_at'] or call['started_at']}"


def _no_verdict(document: Document) -> str:
    statuses = {completion["status"] for completion in document["completions"]}
    if not document["calls"] and "cancelled" in statuses:
        return "The backend cancelled it, and no log shows who left: cut short in its bucket, without a verdict."
    if not document["calls"]:
        return "No client's or proxy's log shows this call: its cost is taken as delivered, without a verdict."
    if any(call["outcome"] == "delivered" for call in document["calls"]):
        return "Nothing was lost: no verdict is needed, and its cost is part of what was delivered."
    return "There is no verdict on it: it is no abort, or not yet."


def _amounts(verdict: Document, after: str = "after the abort; a cancel would have saved it") -> Iterator[str]:
    if verdict["cost"] is None:
        yield "Money: unknown so far."
        return
    currency, basis = verdict["currency"] or "", verdict["basis"]
    lost, low, high = (verdict[f"orphaned_cost{end}"] for end in ("", "_low", "_high"))
    bounds = f" (at least {low}, at most {high})" if (low, high) != (lost, lost) else ""
    yield f"Lost: {currency} {lost}{bounds} of the {currency} {verdict['cost']} that it cost, {basis}."
    if verdict["avoidable_cost"] is None:
        yield "Avoidable: unknown, because the instant of the abort is."
    elif verdict["verdict"] in {"orphaned", "cut_short"}:
        yield f"Avoidable: {currency} {verdict['avoidable_cost']} of that was generated {after}."


def _seconds(call: Document) -> str:
    """How long the caller waited, from the texts of two instants."""
    if not call["started_at"] or not call["ended_at"]:
        return ""
    from datetime import datetime

    started, ended = (datetime.fromisoformat(call[name]) for name in ("started_at", "ended_at"))
    return f"{(ended - started).total_seconds():.3f} s"


# What was seen --------------------------------------------------------------------------------------------


def _seen(document: Document) -> Iterator[str]:
    """Every line of every log in the order of time, with its place and its text."""
    events: list[tuple[str, str, Document | None]] = []
    for call in document["calls"]:
        events += [(line["at"], _event_words(call, line), line) for line in call["lines"]]
    for completion in document["completions"]:
        source = completion["source"]
        if completion["received_at"]:
            events.append((completion["received_at"], f"{source}: the backend received the request", None))
        if completion["first_byte_at"]:
            events.append((completion["first_byte_at"], f"{source}: first byte", None))
        words = f"{source}: the backend finished, status {completion['status']}: {_tokens(completion)}"
        events.append((completion["finished_at"], words, completion["line"]))
    yield from _lines(events)


def _lines(events: Iterable[tuple[str, str, Document | None]]) -> Iterator[str]:
    """Lines of logs in the order of time: when, what they say, where they stand, and how they read."""
    for at, words, line in sorted(events, key=lambda event: event[0]):
        yield f"{at[:-1].replace('T', ' ')}  {words}"
        if line is not None:
            yield f"    {line['place'] or 'place unknown'}"
            yield f"    {_cut(line['text'])}" if line["text"] else "    (the line is no longer there)"


def _event_words(call: Document, line: Document) -> str:
    asked = f"{call['model'] or 'unknown model'} at {call['provider'] or 'unknown provider'}"
    if call["account"]:
        asked += f", account {call['account']}"
    asked += ", stream" if call["stream"] else ""
    if line["event"] == "started":
        return f"{call['observer']}: started: {asked}"
    told_ = [call["outcome"] or "ended"]
    told_ += [f"reason {call['reason']}"] if call["reason"] else []
    told_ += [f"status {call['status_code']}"] if call["status_code"] is not None else []
    told_ += [f"{call['bytes_received']} bytes"] if call["bytes_received"] is not None else []
    tokens = call["output_tokens_received"]
    told_ += [f"{tokens} output tokens counted"] if tokens is not None else []
    if line["event"] == "ended":
        return f"{call['observer']}: ended: {', '.join(told_)}"
    began = (call["started_at"] or "")[11:-1]
    return f"{call['observer']}: ended: {', '.join(told_)}; {asked}; it had started at {began}"


def _tokens(completion: Document) -> str:
    kinds = {
        "input_tokens": "input", "cached_input_tokens": "cached input", "output_tokens": "output",
        "thinking_tokens": "thinking", "images": "images",
    }  # fmt: skip
    said = [f"{completion[name]} {word}" for name, word in kinds.items() if completion[name]]
    return ", ".join(said) + " tokens" if said else "no usage logged"


def _cut(text: str) -> str:
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: LINE_CHARS_MAX + 1])
    return shown if len(shown) <= LINE_CHARS_MAX else f"{shown[: LINE_CHARS_MAX - 1]}…"


# Why, how much ---------------------------------------------------------------------------------------------


def _joined(completion: Document) -> Iterator[str]:
    for match in completion["match"]:
        gap_us = match["received_after_start_us"]
        gap = "" if gap_us is None else f"; the backend received it {gap_us / 1000:+.1f} ms from the call's start"
        yield f"{match['observer']} {match['call_id']}: {_evidence(match)}{gap}"


def _evidence(match: Document) -> str:
    """Why one observer's call and the completion are taken to be one attempt."""
    by = f"by the same {match['joined_by']}" if match["joined_by"] else "through another observer of this attempt"
    if not match["chosen"]:
        return f"beside it {by}; a call that lost nothing needs no match"
    if match["evidence"] == "exact":
        return f"exact, {by}"
    by = by if match["joined_by"] else "by time, model, account and size"
    return f"{match['evidence']}, {by}, with probability {match['probability'] or 0:.3f}"


def _rivals(call: Document) -> Iterator[str]:
    """The completions in question, how likely each is, and what speaks for it; and that it may be none of them."""
    if not call["rivals"]:
        return
    table = [("completion", "finished (UTC)", "probability", "weight", "start", "end", "size", "kind", "")]
    for rival in call["rivals"]:
        terms = (rival["weight"], *rival["terms"].values())
        finished = rival["finished_at"][:-1].replace("T", " ")
        numbers = (f"{term:+.2f}" for term in terms)
        mark = "chosen" if rival["chosen"] else ""
        table.append((rival["completion_id"], finished, f"{rival['probability']:.3f}", *numbers, mark))
    left = max(1 - sum(rival["probability"] for rival in call["rivals"]), 0)
    table.append(("none of these", "", f"{left:.3f}", "", "", "", "", "", ""))
    yield from aligned(table, numbers={2, 3, 4, 5, 6, 7})
    yield "A term is the logarithm of how much likelier it makes a pair than two strangers. The weight is their"
    yield "sum; the probability also counts the rivals of each completion."


def _reached(completion: Document) -> Iterator[str]:
    if completion["share_evidence"] is None or completion["verdict"] == "failed":
        return
    yield f"How that is known: {SHARES.get(completion['share_evidence'], completion['share_evidence'])}."
    whole, lost = completion["lost_whole"], completion["lost_part"]
    if whole and completion["verdict"] in {"orphaned", "cut_short"}:
        low, high = completion["low_part"], completion["high_part"]
        bounds = f" (between {_percent(low, whole)} and {_percent(high, whole)})" if low != high else ""
        with_input = ", and the input with it" if lost == whole else ""
        yield f"Of the output {_percent(lost, whole)} was lost{bounds}{with_input}."
    if completion["avoid_part"] is not None and completion["avoid_whole"]:
        part = _percent(completion["avoid_part"], completion["avoid_whole"])
        yield f"Of the time in which it was generated, {part} lay after the abort."
    if not completion["billed"]:
        yield "Such work is not billed, says its policy (or its provisioned throughput): it costs nothing."
    elif completion["disputed"]:
        yield _DISPUTED


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


_DISPUTED = "Whether such work is billed is disputed: the low bound takes it as free."
_UNPRICED = ("no price known", "", "", "")


def _priced(completion: Document) -> Iterator[str]:
    table = [("usage", "units", "per million", "estimate", "price from", "origin")]
    for price in completion["prices"]:
        currency, since = price["currency"], price["from"] or ""
        amounts = [f"{currency} {price[name]}" for name in ("price_per_million", "estimated_cost")]
        known = (*amounts, since[:10] if since > "1971" else "always", price["origin"])
        table.append((price["usage"], str(price["units"]), *(known if currency else _UNPRICED)))
    if len(table) > 1:
        yield from aligned(table, numbers={1, 2, 3})


def _billed(completion: Document) -> Iterator[str]:
    head = ("usage", "used", "of max(billed, logged)", "bucket cost", "share", "bucket (UTC)")
    table: list[tuple[str, ...]] = [head]
    for share in completion["bill_shares"]:
        used = f"max({share['billed_usage']}, {share['logged_usage']})"
        bucket = f"{share['usage_start'][:16].replace('T', ' ')} to {share['usage_end'][11:16]}"
        bucket += "" if share["settled"] else ", no longer settled"
        cost, part = (f"{share['currency']} {share[name]}" for name in ("billed_cost", "share"))
        table.append((share["usage"], share["used"], used, cost, part, bucket))
    if len(table) > 1:
        yield from aligned(table, numbers={1, 2, 3, 4})
    elif completion["verdict"] is not None and completion["billed"]:
        yield "None yet: no settled line of a bill covers it. Until then the prices above estimate its cost."


def _history(document: Document) -> Iterator[str]:
    for call in document["calls"]:
        for version in call["versions"]:
            when = f"run {version['run_id']} as of {version['recorded_at'][:19].replace('T', ' ')}"
            if version["retracted"]:
                words = "taken back: the call is no abort after all"
            elif not version["changed"]:
                words = f"{version['verdict']} ({version['evidence']}, {version['basis'] or 'no amount'})"
            else:
                words = "; ".join(f"{name} is now {_known(version[name])}" for name in version["changed"])
            yield f"{call['observer']}, {when}: {words}"


def _known(value: object) -> str:
    return "unknown" if value is None else str(value)


def aligned(table: Sequence[Sequence[str]], numbers: set[int] | frozenset[int] = frozenset()) -> Iterator[str]:
    """Rows of text with their columns one below the other; those in `numbers` are aligned to the right."""
    widths = [max(len(row[place]) for row in table) for place in range(len(table[0]))]
    for row in table:
        cells = [
            cell.rjust(width) if place in numbers else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
