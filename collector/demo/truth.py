"""What the demo's day truly cost, and what of it was lost: finished calls come in, plain figures go out.

Independent of the collector: it knows what each call used and what each token will cost in the end, and needs
no match, no log and no bill. Money is whole nano-units of USD.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from collector.demo.cast import USAGES
from collector.demo.traffic import Call


@dataclass(frozen=True, slots=True)
class Loss:
    """One call that somebody left. `seen`: some completion log shows its work."""

    completion_id: str
    service: str
    reason: str
    verdict: str
    seen: bool
    finished_us: int
    cost_nano: int
    lost_nano: int
    avoidable_nano: int


@dataclass(frozen=True, slots=True)
class Parts:
    """What a bill is split into, in the order in which it is shown."""

    delivered: int
    orphaned: int
    cut_short: int
    failed: int
    unattributed: int

    def total(self) -> int:
        """What was billed."""
        return self.delivered + self.orphaned + self.cut_short + self.failed + self.unattributed


def parts(calls: Iterable[Call], unwatched_nano: int, *, before_us: int) -> Parts:
    """The truth about the bill of what finished before `before_us`; `unwatched_nano` of it no log shows."""
    whole, lost = 0, {"orphaned": 0, "cut_short": 0}
    for call in calls:
        if call.finished_us >= before_us:
            continue
        if not call.logged:
            unwatched_nano += cost_nano(call)
            continue
        whole += cost_nano(call)
        if call.reason is not None and (verdict := _verdict(call)) in lost:
            lost[verdict] += _lost_nano(call)
    return Parts(whole - sum(lost.values()), lost["orphaned"], lost["cut_short"], 0, unwatched_nano)


def losses(calls: Iterable[Call]) -> list[Loss]:
    """Every call that was left, with what it cost in vain."""
    return [_loss(call) for call in calls if call.reason is not None]


def cost_nano(call: Call) -> int:
    """What the call costs in the end. Work that the provider itself failed is not charged."""
    if call.status == "error":
        return 0
    return sum(_amounts(call).values())


def _amounts(call: Call) -> dict[str, int]:
    used = call.usage()
    return {usage: used[usage] * call.service.model.net_nano(usage) for usage in USAGES}


def _loss(call: Call) -> Loss:
    verdict = _verdict(call)
    lost = _lost_nano(call) if verdict in ("orphaned", "cut_short") else 0
    return Loss(
        completion_id=call.completion_id, service=call.service.name, reason=str(call.reason), verdict=verdict,
        seen=call.logged, finished_us=call.finished_us, cost_nano=cost_nano(call), lost_nano=lost,
        avoidable_nano=min(lost, _after_nano(call)),
    )  # fmt: skip


def _verdict(call: Call) -> str:
    if call.status == "error":
        return "failed"
    if call.status == "cancelled":
        return "cut_short"
    whole = call.delivered_tokens >= call.output and call.reason != "vanished"
    return "delivered" if whole else "orphaned"


def _lost_nano(call: Call) -> int:
    """Output and thinking that were not delivered; the input as well where nothing was."""
    amounts = _amounts(call)
    if call.delivered_tokens == 0:
        return sum(amounts.values())
    generated = amounts["output"] + amounts["thinking"]
    return round(Fraction(generated * (call.output - call.delivered_tokens), call.output))


def _after_nano(call: Call) -> int:
    """What was generated after the client had left; 0 where no log can say when that was."""
    if call.left_us is None or call.reason == "vanished":
        return 0
    amounts = _amounts(call)
    generated = amounts["output"] + amounts["thinking"]
    whole_us = max(call.finished_us - call.begun_us, 1)
    after_us = min(max(call.finished_us - max(call.left_us, call.begun_us), 0), whole_us)
    return generated * after_us // whole_us
