"""What a probe says to a person or a program: plan, findings and policies come in, text or plain values go out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from collector.costing.policies import Policy, toml_from_policy
from collector.money import text_from_nano
from collector.probe.calling import Ended
from collector.probe.judging import Fate, Looked
from collector.probe.plan import Mode, Step
from collector.probe.room import About
from collector.probe.shares import Finding, Share
from collector.probe.target import Target
from collector.probe.worst import Budget
from collector.records import instant_text

_COLUMNS: tuple[Fate, ...] = ("ran on", "stopped", "no trace", "pending", "too late", "failed")
_SAYS = {
    "yes": "runs on", "no": "stops", "disputed": "differs by how or when it is left",
    "unclear": "unclear: the interval of the share holds 1/2",
}  # fmt: skip


def plan(
    steps: Sequence[Step],
    targets: Mapping[Mode, Target],
    worst_nano: Mapping[Mode, int | None],
    budget: Budget,
    currency: str,
) -> Iterator[str]:
    """What would be called, and what it can cost at most."""
    for mode, target in targets.items():
        names = ", ".join(name for name, _ in target.headers) or "none"
        yield f"{mode:<7} POST {target.shown} ({len(target.body)} bytes; headers of yours: {names})"
        yield f"        one call costs at most {_money(worst_nano[mode], currency)}"
    counts: dict[str, int] = {}
    for step in steps:
        counts[step.name] = counts.get(step.name, 0) + 1
    yield from (f"{count:>5}  {name}" for name, count in counts.items())
    yield f"{len(steps):>5}  calls in all, at most {_money(_sum(steps, worst_nano), currency)}"
    limit = "no limit of money" if budget.cost_max_nano is None else _money(budget.cost_max_nano, currency)
    fits = affordable(steps, worst_nano, budget)
    cut = "" if fits == len(steps) else f"; only the first {fits} calls fit"
    yield f"       budget: {budget.calls_max} calls, {limit}{cut}"


def affordable(steps: Sequence[Step], worst_nano: Mapping[Mode, int | None], budget: Budget) -> int:
    """How many of the steps the budget allows."""
    trial = Budget(budget.calls_max, budget.cost_max_nano)
    return next((n for n, step in enumerate(steps) if not trial.take(worst_nano[step.mode])), len(steps))


def _sum(steps: Sequence[Step], worst_nano: Mapping[Mode, int | None]) -> int | None:
    costs = [worst_nano[step.mode] for step in steps]
    return None if None in costs else sum(cost for cost in costs if cost is not None)


def _money(nano: int | None, currency: str) -> str:
    return "an unknown amount" if nano is None else f"{text_from_nano(nano)} {currency}"


def report(about: About, ended: Ended | None, looked: Looked, found: Sequence[Finding]) -> Iterator[str]:
    """The findings for a person."""
    yield f"{about.name}: {about.provider} {about.model}, {instant_text(about.started_us)}"
    if ended is not None and ended.told:
        yield ended.told
    controls = [one for one in looked.judged if one.made.cell is None]
    answered = sum(one.made.outcome == "delivered" for one in controls)
    in_log = "" if looked.controls_found is None else f", {looked.controls_found} of these in the log by an id"
    yield f"Calls made: {len(looked.judged)}. Controls: {answered} of {len(controls)} answered{in_log}."
    if found:
        yield ""
        yield f"{'left':<23}" + "".join(f"{name:>10}" for name in _COLUMNS) + "  share that ran on (Wilson, 90 %)"
    for one in found:
        yield from (_row(cell.name, share) for cell, share in one.cells)
        yield _row(f"{one.mode}, all", one.whole)
    yield ""
    yield from (line for one in found for line in _said(one, looked))
    yield from (f"A source could not be read: {trouble}" for trouble in looked.troubles)
    if not found:
        yield "No call was left, so nothing was learnt."


def _row(name: str, share: Share) -> str:
    counts = "".join(f"{share.fates[name]:>10}" for name in _COLUMNS)
    if share.bounds is None:
        return f"{name:<23}{counts}  unknown"
    best = "unknown" if share.share is None else f"{share.share:.2f}"
    return f"{name:<23}{counts}  {best} ({share.bounds[0]:.2f} to {share.bounds[1]:.2f})"


def _said(found: Finding, looked: Looked) -> Iterator[str]:
    """What a mode's figures come to, and what weakens them."""
    yield f"{found.mode}: {_SAYS[found.runs_on]}"
    if found.whole.overrun_us is not None:
        yield f"  it worked on for {found.whole.overrun_us / 1e6:.1f} s (median) after being left"
    if found.billed:
        yield f"  by the bill, calls that were left are {'billed' if found.billed == 'yes' else 'not billed'}"
    if found.doubt:
        yield f"  {found.doubt}"
    probable = sum(
        one.evidence == "probable" and one.made.mode == found.mode and one.made.cell is not None
        for one in looked.judged
    )
    if probable:
        yield f"  {probable} of its calls were joined by time, not by an id"
    if found.whole.fates["no trace"] and looked.controls_found:
        yield "  the log tells of the control but not of all calls that were left: it may log only what is finished"


def pending(found: Sequence[Finding]) -> int:
    """How many calls the logs may still tell of."""
    return sum(one.whole.fates["pending"] for one in found)


def document(
    about: About, ended: Ended | None, looked: Looked, found: Sequence[Finding], policies: Sequence[Policy]
) -> dict[str, Any]:
    """The same for a program."""
    return {
        "probe": about.name, "started_at": instant_text(about.started_us), "provider": about.provider,
        "account": about.account, "model": about.model, "urls": dict(about.urls),
        "ended": ended.how if ended else None, "calls": len(looked.judged), "controls_found": looked.controls_found,
        "modes": [_mode(one) for one in found], "policies": [toml_from_policy(one) for one in policies],
    }  # fmt: skip


def _mode(found: Finding) -> dict[str, Any]:
    return {
        "mode": found.mode, "runs_on": found.runs_on, "doubt": found.doubt or None, "billed": found.billed,
        **_figures(found.whole),
        "cells": [{"way": c.way, "leave": c.instant.text, "runs_on": s.runs_on, **_figures(s)} for c, s in found.cells],
    }  # fmt: skip


def _figures(share: Share) -> dict[str, Any]:
    low, high = share.bounds or (None, None)
    return {
        **{name.replace(" ", "_"): share.fates[name] for name in _COLUMNS},
        "share": share.share, "share_low": low, "share_high": high, "interval": "wilson 90 %",
        "overrun_seconds": None if share.overrun_us is None else share.overrun_us / 1e6,
    }  # fmt: skip
