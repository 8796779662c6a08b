"""What the bill says of a probe's calls where no log tells of completions: the room comes in, one finding goes out.

A bill knows no call. What it has of this model in the charge periods of the probe, less what the controls used, was
used by the calls that were left; so nobody else may use the model there (`--alone`), and one probe has one mode. How
many ran on follows as a range: each may have used as much as the shortest or the longest control, and one that was
stopped what it had made until it was left. What lies between counts as undecided.
"""

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

import duckdb

from collector.config import BillSource, Config, GcpBillingSource
from collector.ledger import dialect
from collector.pipeline import reading, run_once
from collector.probe.judging import Fate, Judged, Looked, own_config
from collector.probe.plan import Mode
from collector.probe.room import Made, Room
from collector.probe.shares import Finding, Share
from collector.reading import Progress
from collector.records import instant_text
from collector.sources.skus import normalised_model

PACKAGE = "collector.probe"
MICRO = 1_000_000
_INPUTS = ("input", "cached_input", "cache_write", "cache_write_5m", "cache_write_1h")
_OUTPUTS = ("output", "thinking")


@dataclass(frozen=True, slots=True)
class Bill:
    """What the bill has of the model in the probe's periods, in whole units; `is_final` once it will not grow."""

    inputs: int
    outputs: int
    images: int
    is_final: bool
    told: str


def has_bill(config: Config) -> bool:
    """Whether the config has a bill at all."""
    return any(isinstance(source, BillSource) for source in config.sources)


def look(config: Config, room: Room, *, now_us: int, show: Progress) -> tuple[Looked, list[Finding]]:
    """Read what is new on the bill, and say what it comes to."""
    since_us = now_us - room.about.started_us + 2 * 24 * 3_600 * MICRO
    narrowed = [
        one.model_copy(update={"since_us": since_us}) if isinstance(one, GcpBillingSource) else one
        for one in config.sources if isinstance(one, BillSource)
    ]  # fmt: skip
    own = own_config(config, room, narrowed)
    done = run_once(own, now_us=now_us, show=show)
    made = room.made()
    with reading(own) as (connection, _):
        bill = _bill(connection, config, room, made)
    judged = tuple(Judged(one, "not left" if one.cell is None else "pending") for one in made)
    troubles = tuple(f"{one.source}: {one.error}" for one in done.ledger.sources if one.error)
    return Looked(judged, None, (), troubles), [finding(made, bill)]


def _bill(connection: duckdb.DuckDBPyConnection, config: Config, room: Room, made: list[Made]) -> Bill:
    from_us = min(one.started_us for one in made)
    to_us = max(one.ended_us or one.started_us for one in made) + config.correlation.horizon_us
    asked = {"provider": room.about.provider, "account": room.about.account, "from_us": from_us, "to_us": to_us}
    used: Counter[str] = Counter()
    for model, kind, micro in dialect.run(connection, PACKAGE, "billed", asked):
        if model and normalised_model(model) == normalised_model(room.about.model):
            used[kind] += micro
    reach_us = dialect.run(connection, PACKAGE, "bill_reach", asked)[0][0] or 0
    final_us = to_us + config.billing.settle_after_us
    return Bill(
        sum(used[kind] for kind in _INPUTS) // MICRO, sum(used[kind] for kind in _OUTPUTS) // MICRO,
        used["image"] // MICRO, reach_us >= final_us,
        f"the bill reaches {instant_text(reach_us) if reach_us else 'nowhere'}; it is final from "
        f"{instant_text(final_us)} on",
    )  # fmt: skip


def finding(made: list[Made], bill: Bill) -> Finding:
    """How many of the calls that were left the bill says ran on."""
    left = [one for one in made if one.was_left]
    controls = [one for one in made if one.cell is None and one.outcome == "delivered"]
    mode = left[0].mode
    if not bill.is_final:
        return _finding(mode, Counter({"pending": len(left)}), bill.told)
    per_image = bool(bill.images)
    sizes = [one.used.images if per_image else one.used.output_tokens for one in controls]
    known = [size for size in sizes if size]
    if len(known) < len(controls) or not known:
        return _finding(mode, Counter({"no trace": len(left)}), "no control's answer says what it used")
    usual_us = min((one.ended_us or one.started_us) - one.started_us for one in controls)
    parts = [min(1.0, ((one.ended_us or one.started_us) - one.started_us) / max(1, usual_us)) for one in left]
    excess = (bill.images if per_image else bill.outputs) - sum(known)
    low, high = ran_on(excess, min(known), max(known), parts)
    fates: Counter[Fate] = Counter({"ran on": low, "stopped": len(left) - high, "no trace": high - low})
    told = "" if excess <= len(left) * max(known) else "the bill has more than these calls can have used"
    found = _finding(mode, fates, told)
    inputs = [one.used.input_tokens for one in controls if one.used.input_tokens]
    return replace(found, billed=_billed(bill, inputs, len(left))) if inputs else found


def ran_on(excess: int, size_min: int, size_max: int, parts: list[float]) -> tuple[int, int]:
    """The least and the most calls that can have run on, if together they used `excess`.

    `parts`: of each call, the share of its work that was done when it was left.
    """
    count = len(parts)
    most = min(count, max(0, math.ceil(excess / size_min)))
    longest = sorted(parts, reverse=True)
    enough = (ran for ran in range(count) if size_max * (ran + sum(longest[: count - ran])) >= excess)
    return min(most, next(enough, count)), most


def _billed(bill: Bill, inputs: list[int], left: int) -> Literal["yes", "no"] | None:
    """Whether calls that were left are billed at all: each has its input on the bill, or none has."""
    calls = round(bill.inputs / (sum(inputs) / len(inputs))) - len(inputs)
    return "yes" if calls >= left else "no" if calls <= 0 else None


def _finding(mode: Mode, fates: Counter[Fate], doubt: str) -> Finding:
    share = Share(fates, None)
    return Finding(mode, share, (), "unclear" if doubt else share.runs_on, doubt)
