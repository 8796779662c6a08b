"""The truth about the aborts of a simulated world: verdict, what was delivered, and the money lost.

Calls and the books come in; exact fractions of currency units go out. It is the truth that the *recorded*
lines allow: a call that nobody's log shows is no abort, and a completion that no log shows is unattributed.
It follows the contract with fractions and loops, on purpose unlike the SQL that it is there to judge.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal

from tests.world_books import NOTHING, Books
from tests.world_calls import Call, JoinedBy, Usage, Work
from tests.world_spec import APP, BACKEND, EDGE, PROVIDER, USAGE_KINDS, WorldSpec, moment

Verdict = Literal["failed", "cut_short", "delivered", "orphaned", "unmatched"]
FINE_PLACES = 18  # of an avoidable amount; whole fractions of a duration would add up to enormous ones
DeliveredBy = Literal["tokens", "bytes", "time", "none"]


@dataclass(frozen=True, slots=True)
class TrueAbort:
    """One abort as one observer saw it.

    Instants are those in its log; money is in units of the currency. `delivered_by` is what the log allows:
    counted tokens; bytes (none at all, or a unary answer: that is certain; otherwise only a hint); time;
    nothing, where the process vanished. `avoidable_from_receipt` counts the time from the backend's receipt,
    as one must who does not know the first byte; None: the instant is unknown.
    """

    observer: str
    call_id: str
    request_id: str | None
    provider: str
    account: str
    model: str
    service: str
    stream: bool
    started_at: datetime
    ended_at: datetime | None
    reason: str
    verdict: Verdict
    joined_by: JoinedBy
    completion_id: str | None
    finished_at: datetime | None
    leaves: Usage | None
    delivered_tokens: int | None
    delivered_by: DeliveredBy
    delivered_is_certain: bool
    cost: Fraction
    lost: Fraction
    avoidable: Fraction
    avoidable_from_receipt: Fraction | None
    currency: str
    basis: Literal["billed", "estimated"]
    on_money_row: bool


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt with an abort row or two, and the decision about it. `work` is None if no log shows it."""

    call: Call
    work: Work | None
    reasons: Mapping[str, str]  # observer -> reason, for each observer that has a row
    verdict: Verdict
    tokens: int

    @property
    def money_row(self) -> str:
        """The outermost observer with a row."""
        return APP if APP in self.reasons else EDGE

    @property
    def lost(self) -> dict[str, Fraction]:
        """The lost share of each usage kind: output as far as it is missing, input if nothing came."""
        if self.work is None or self.verdict not in {"orphaned", "cut_short"}:
            return dict.fromkeys(USAGE_KINDS, NOTHING)
        made = self.work.usage.output
        output = Fraction(made - self.tokens, made) if made else Fraction(1)
        entry = Fraction(int(self.tokens == 0))
        return {"input": entry, "cached_input": entry, "output": output, "thinking": output}


def judge(spec: WorldSpec, calls: Iterable[Call], books: Books) -> tuple[TrueAbort, ...]:
    """Every abort, ordered by when it started and call_id; what is lost is taken out of the books."""
    aborts: list[TrueAbort] = []
    for call in calls:
        attempt = _attempt(spec, call)
        if attempt is not None:
            aborts += _rows(spec, attempt, books)
        if call.work is not None and call.work.logged:
            _book(call.work, attempt, books)
    return tuple(sorted(aborts, key=lambda abort: (abort.started_at, abort.call_id, abort.observer)))


def _book(work: Work, attempt: _Attempt | None, books: Books) -> None:
    if work.status == "error":
        books.take(work, "failed", dict.fromkeys(USAGE_KINDS, Fraction(1)))
    elif work.status == "cancelled":
        whole = dict.fromkeys(USAGE_KINDS, Fraction(1))
        books.take(work, "cut_short", whole if attempt is None else attempt.lost)
    elif attempt is not None:
        books.take(work, "orphaned", attempt.lost)


def _attempt(spec: WorldSpec, call: Call) -> _Attempt | None:
    work = call.work if call.work and call.work.logged else None
    reasons = _reasons(spec, call, work)
    if not reasons:
        return None
    outer = APP if APP in reasons else EDGE
    tokens = call.proxy.tokens_passed if outer == EDGE and call.proxy else call.tokens_delivered
    if reasons[outer] == "vanished":
        tokens = 0
    return _Attempt(call, work, reasons, _verdict(work, tokens, reasons[outer]), tokens)


def _reasons(spec: WorldSpec, call: Call, work: Work | None) -> dict[str, str]:
    reasons: dict[str, str] = {}
    client, proxy = call.client, call.proxy
    if client and client.recorded and not client.ended_recorded:
        # A lost line is told from a lost process by what that process wrote later, if lines name processes.
        if client.outcome is None or not spec.log_process:
            reasons[APP] = "vanished"
    elif client and client.recorded and client.outcome == "aborted" and client.reason:
        reasons[APP] = client.reason
    elif client and client.recorded and client.outcome == "failed" and work and work.status == "ok":
        reasons[APP] = "error"
    if proxy and proxy.recorded and proxy.reason:
        reasons[EDGE] = proxy.reason
    return reasons


def _verdict(work: Work | None, tokens: int, reason: str) -> Verdict:
    if work is None:
        return "unmatched"
    if work.status != "ok":
        return "failed" if work.status == "error" else "cut_short"
    return "delivered" if tokens == work.usage.output and reason != "vanished" else "orphaned"


def _rows(spec: WorldSpec, attempt: _Attempt, books: Books) -> Iterator[TrueAbort]:
    call, work = attempt.call, attempt.work
    costs = books.costs(work) if work else {}
    cost = sum(costs.values(), NOTHING)
    lost = sum((costs[usage] * attempt.lost[usage] for usage in costs), NOTHING)
    made = costs.get("output", NOTHING) + costs.get("thinking", NOTHING)
    avoidable, from_receipt = _avoidable(spec, attempt, made, lost)
    by, certain = _delivered_by(attempt)
    for observer, reason in attempt.reasons.items():
        money = observer == attempt.money_row
        call_id, request_id, started_us, ended_us = _as_logged(call, observer)
        watched = observer == APP or (call.proxy is not None and call.proxy.service is not None)
        yield TrueAbort(
            observer=observer, call_id=call_id, request_id=request_id, provider=PROVIDER,
            account=call.account, model=call.model, service=call.service if watched else "web",
            stream=call.stream, started_at=moment(started_us),
            ended_at=None if ended_us is None or reason == "vanished" else moment(ended_us), reason=reason,
            verdict=attempt.verdict, joined_by=call.joined_by if work else "none",
            completion_id=work.completion_id if work else None,
            finished_at=moment(work.finished_us + spec.skew_us(BACKEND)) if work else None,
            leaves=work.usage if work else None, delivered_tokens=attempt.tokens if work else None,
            delivered_by=by, delivered_is_certain=certain, cost=cost if money else NOTHING,
            lost=lost if money else NOTHING, avoidable=avoidable if money else NOTHING,
            avoidable_from_receipt=from_receipt if money else NOTHING,
            currency=spec.models_of(call.account)[0].currency,
            basis="billed" if work and books.is_settled(work) else "estimated", on_money_row=money,
        )  # fmt: skip


def _as_logged(call: Call, observer: str) -> tuple[str, str | None, int, int | None]:
    """call_id, request_id, start and end, as that observer's line has them."""
    if observer == APP and call.client:
        return call.call_id, call.ids.request, call.client.started_us, call.client.ended_us
    if call.proxy is None:
        raise ValueError(f"nobody saw {call.call_id}")
    proxy = call.proxy
    return proxy.request_id, proxy.request_id, proxy.started_ms * 1000, proxy.ended_ms * 1000


def _delivered_by(attempt: _Attempt) -> tuple[DeliveredBy, bool]:
    """How the money row knows what was delivered, and whether that is certain."""
    call, row = attempt.call, attempt.money_row
    if attempt.reasons[row] == "vanished":
        return "none", True
    if row == APP and call.client:
        if call.client.tokens_received is not None:
            return "tokens", True
        size = call.client.bytes_received
        return ("time", False) if size is None else ("bytes", size == 0)
    certain = not call.stream or (call.proxy is not None and call.proxy.bytes_sent == 0)
    return ("bytes", True) if certain else ("time", False)


def _avoidable(spec: WorldSpec, attempt: _Attempt, made: Fraction, lost: Fraction) -> tuple[Fraction, Fraction | None]:
    """What was generated after the observer had gone: counted from the first byte, and from the receipt."""
    call, work, row = attempt.call, attempt.work, attempt.money_row
    vanished = attempt.reasons[row] == "vanished"
    left_us = call.left_us
    if row == EDGE and call.proxy:
        left_us = call.proxy.ended_ms * 1000 - spec.skew_us(EDGE)
    if work is None or left_us is None or lost == 0:
        return NOTHING, None if vanished else NOTHING
    first_us = work.first_byte_us if work.first_byte_us is not None else work.received_us
    since_first, since_receipt = (
        min(lost, round(made * (1 - _done(left_us, begun_us, work.finished_us)), FINE_PLACES))
        for begun_us in (first_us, work.received_us)
    )
    return since_first, None if vanished else since_receipt


def _done(at_us: int, begun_us: int, finished_us: int) -> Fraction:
    """How much of the way from `begun_us` to `finished_us` lies before `at_us`."""
    if finished_us <= begun_us:
        return Fraction(int(at_us >= finished_us))
    return Fraction(max(0, min(at_us, finished_us) - begun_us), finished_us - begun_us)
