"""Decides who leaves when, what the backend then does, and what each observer writes down about it.

Plans come in (see `world_plans`), calls go out. Money and verdicts are somebody else's.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from tests.world_calls import Call, ClientView, ProxyView, Usage, Work
from tests.world_plans import SLOTS, Arrival, Plan, Planner
from tests.world_spec import APP, EDGE, SECOND_US, WorldSpec

REASONS = ("interrupt", "cancelled", "timeout", "timeout")
RETRIES_MAX = 2
BYTES_PER_TOKEN = 5
HEAD_BYTES = 240
BUFFER_BYTES = 16_000  # a unary answer that nginx can hold: with proxy_ignore_client_abort it looks whole


@dataclass(frozen=True, slots=True)
class Fate:
    """How one call goes. `left_us` is None for calls that are waited for."""

    kind: Literal["whole", "left", "broken", "killed", "gateway"]
    left_us: int | None = None
    reason: str | None = None
    reached: bool = True
    fails: bool = False  # the backend will end in an error of its own


class Teller:
    """Turns plans into calls. Holds the generator, the planner and the times at which processes die."""

    def __init__(self, spec: WorldSpec, rng: Random, planner: Planner, arrivals: list[Arrival]) -> None:
        self.spec = spec
        self.rng = rng
        self.planner = planner
        self.kills = _kill_times(spec, rng, arrivals)

    def calls(self, arrivals: Iterable[Arrival]) -> Iterator[Call]:
        """Every arrival's call, and the retries that follow from it."""
        for arrival in arrivals:
            plan = self.planner.first(arrival)
            fate = self._fate(plan)
            yield self._told(plan, fate)
            for _ in range(RETRIES_MAX):
                if not (plan.watched and fate.reason == "timeout" and self._hit(self.spec.retry_share)):
                    break
                plan = self.planner.again(plan, fate.left_us or plan.ended_us)
                fate = self._fate(plan)
                yield self._told(plan, fate)

    def background_work(self, arrivals: list[Arrival]) -> Iterator[Work]:
        """Work that is billed, though no log of ours shows it."""
        for _ in range(round(self.spec.unlogged_share * self.spec.calls) if arrivals else 0):
            plan = self.planner.first(self.rng.choice(arrivals))
            yield replace(self._work(plan, Fate("whole")), logged=False)

    def _hit(self, share: float) -> bool:
        return self.rng.random() < share

    # -- who leaves when -------------------------------------------------------------------------------------

    def _fate(self, plan: Plan) -> Fate:
        fate = self._own_fate(plan)
        end_us = plan.ended_us if fate.left_us is None else fate.left_us
        killed_us = next((at for at in self._kills_of(plan) if plan.started_us < at < end_us), None)
        return fate if killed_us is None or fate.kind == "killed" else replace(
            fate, kind="killed", left_us=killed_us, reason="vanished", reached=True
        )  # fmt: skip

    def _kills_of(self, plan: Plan) -> list[int]:
        return self.kills.get((plan.service, plan.slot), [])

    def _own_fate(self, plan: Plan) -> Fate:
        rng, spec = self.rng, self.spec
        errs = spec.backend_error_share
        if self._hit(spec.vanish_share) and plan.watched:
            return Fate("killed", self._somewhere(plan), "vanished", fails=self._hit(4 * errs))
        if plan.proxied and not plan.stream and self._hit(spec.gateway_timeout_share):
            took_us = int((plan.finished_us - plan.received_us) * rng.uniform(0.3, 0.9))
            return Fate("gateway", plan.received_us + took_us + plan.edge_us, "gateway")
        if self._hit(spec.abort_share):
            return self._leaving(plan)
        if self._hit(spec.error_share) and plan.watched:
            late = self._hit(0.2)  # the whole answer came, and then the client choked on it
            return Fate("broken", plan.ended_us if late else self._somewhere(plan), "error")
        return Fate("whole", fails=self._hit(errs))

    def _leaving(self, plan: Plan) -> Fate:
        rng, spec = self.rng, self.spec
        reason = rng.choice(REASONS)
        if plan.watched and self._hit(spec.unreached_share):
            left_us = plan.started_us + rng.randrange(SECOND_US, 10 * SECOND_US)
            return Fate("left", left_us, reason, reached=False)
        if plan.stream and self._hit(spec.late_abort_share):
            return Fate("left", plan.finished_us + plan.down_us + 10_000, reason)
        return Fate("left", self._somewhere(plan), reason, fails=self._hit(4 * spec.backend_error_share))

    def _somewhere(self, plan: Plan) -> int:
        """An instant while the backend is at work."""
        share = self.rng.uniform(0.03, 0.98)
        return plan.received_us + int((plan.finished_us - plan.received_us) * share)

    # -- what the backend does -------------------------------------------------------------------------------

    def _work(self, plan: Plan, fate: Fate) -> Work:
        work = Work(
            completion_id=f"cmpl-{self.rng.getrandbits(80):020x}", account=plan.account,
            model=plan.model.name, stream=plan.stream, status="ok", received_us=plan.received_us,
            first_byte_us=plan.first_byte_us, finished_us=plan.finished_us, usage=plan.usage,
            request_id=plan.ids.backend_request,
            trace_id=plan.ids.trace if plan.ids.backend_trace else None,
            span_id=plan.ids.span if plan.ids.backend_trace else None, response_id=plan.ids.response,
            logged=not self._hit(self.spec.lost_share), billed=True,
        )  # fmt: skip
        if fate.left_us is not None and fate.kind in {"left", "killed"} and plan.stream:
            stop_us = fate.left_us + plan.up_us + self.rng.randrange(20_000, 200_000)
            if self._hit(self.spec.backend_stops_share) and plan.received_us < stop_us < plan.finished_us:
                return replace(_ended(work, stop_us), status="cancelled", billed=self.spec.cancelled_billed)
        if fate.fails:
            least_us = max(fate.left_us or 0, plan.received_us)
            fail_us = least_us + int((plan.finished_us - least_us) * self.rng.uniform(0.1, 0.9))
            return replace(_ended(work, fail_us), status="error", billed=self.spec.error_billed)
        return work

    # -- what the observers see ------------------------------------------------------------------------------

    def _told(self, plan: Plan, fate: Fate) -> Call:
        work = self._work(plan, fate) if fate.reached else None
        left_us = fate.left_us
        heard_us = plan.ended_us if left_us is None else left_us
        answer = work is not None and fate.kind != "gateway"
        tokens = work.tokens_made(heard_us - plan.down_us) if work and answer else 0
        restarts = sum(at <= plan.started_us for at in self._kills_of(plan))
        process = f"{plan.service}-{plan.slot}:{100 + restarts}"
        if fate.kind == "killed" and left_us not in self._kills_of(plan):
            process = f"{plan.service}-job:{plan.call_id[-6:]}"
        return Call(
            call_id=plan.call_id, service=plan.service, process=process, account=plan.account,
            model=plan.model.name, stream=plan.stream, ids=plan.ids, retry_of=plan.retry_of,
            started_us=plan.started_us, left_us=left_us, tokens_delivered=tokens,
            hints=self._hit(self.spec.hint_share), input_tokens=plan.input_tokens,
            client=self._client(plan, fate, work, tokens) if plan.watched else None,
            proxy=self._proxy(plan, fate, work) if plan.proxied and work else None, work=work,
        )  # fmt: skip

    def _client(self, plan: Plan, fate: Fate, work: Work | None, tokens: int) -> ClientView:
        skew_us = self.spec.skew_us(APP)
        recorded = not self._hit(self.spec.lost_share)
        if fate.kind == "killed":
            started_us = plan.started_us + skew_us
            return ClientView(
                started_us, ended_us=None, outcome=None, reason="vanished", status_code=None,
                bytes_received=None, tokens_received=None, response_id=None, recorded=recorded,
                ended_recorded=False,
            )  # fmt: skip
        ended_us = _client_end(plan, fate, work)
        status, outcome, reason = self._outcome(plan, fate, work)
        head = tokens > 0 or (status == 200)
        size: int | None = HEAD_BYTES + BYTES_PER_TOKEN * tokens if head else 0
        counted: int | None = tokens
        if plan.stream and self._hit(self.spec.uncounted_share):
            counted, size = None, size if self._hit(0.5) else None
        told = plan.ids.response if head and work else None
        return ClientView(
            plan.started_us + skew_us, ended_us + skew_us, outcome, reason, status, size, counted, told,
            recorded, recorded,
        )  # fmt: skip

    def _outcome(
        self, plan: Plan, fate: Fate, work: Work | None
    ) -> tuple[int | None, Literal["delivered", "aborted", "failed"], str | None]:
        if fate.kind == "whole":
            if work is None or work.status != "error":
                return 200, "delivered", None
            return 503 if work.first_byte_us is None else 200, "failed", "error"
        if fate.kind == "gateway":
            return 504, "failed", "error"
        first_us = plan.first_byte_us if plan.stream else plan.finished_us
        begun = first_us is not None and work is not None and (fate.left_us or 0) >= first_us + plan.down_us
        if fate.kind == "broken":
            broken = None if plan.proxied else self.rng.choice((None, 502, 503))
            return 200 if begun else broken, "failed", "error"
        return 200 if begun else None, "aborted", fate.reason

    def _proxy(self, plan: Plan, fate: Fate, work: Work) -> ProxyView:
        skew_us = self.spec.skew_us(EDGE)
        see = _edge_sight(plan, fate, work)
        started_ms = (plan.started_us + plan.edge_us + skew_us) // 1000
        ended_ms = max(started_ms + 1, (see.ended_us + skew_us) // 1000)
        traceparent = f"00-{plan.ids.trace}-{plan.ids.span}-01" if plan.ids.trace else None
        return ProxyView(
            request_id=plan.ids.proxy or "", received_id=plan.ids.request, traceparent=traceparent,
            started_ms=started_ms, ended_ms=ended_ms, status=see.status, bytes_sent=see.sent, whole=see.whole,
            upstream_status=see.upstream, header_ms=None if see.head_us is None else see.head_us // 1000,
            upstream_ms=ended_ms - started_ms, upstream_bytes=0 if see.head_us is None else see.sent,
            service=plan.service if plan.watched else None, reason=see.reason, tokens_passed=see.tokens,
            recorded=plan.ids.proxy != plan.ids.request or not self._hit(self.spec.lost_share),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Sight:
    """What nginx makes of one call; `head_us` is counted from its own start."""

    ended_us: int
    status: int
    whole: bool
    upstream: str
    head_us: int | None = None
    sent: int = 0
    tokens: int = 0
    reason: Literal["disconnect", "timeout"] | None = None


def _edge_sight(plan: Plan, fate: Fate, work: Work) -> _Sight:
    """The table of nginx 1.22: which aborts look like what."""
    hop_us = plan.down_us - plan.edge_us  # from the backend to nginx
    first_us = (work.first_byte_us or work.finished_us) + hop_us
    head_us = max(0, first_us - plan.started_us - plan.edge_us)
    size, made = HEAD_BYTES + BYTES_PER_TOKEN * work.usage.output, work.usage.output
    if fate.kind == "gateway" and fate.left_us is not None:
        return _Sight(fate.left_us, 504, whole=True, upstream="504", sent=494, reason="timeout")
    # A stream has closing frames after its last token.
    done_us = plan.ended_us - plan.edge_us if work.status == "ok" else work.finished_us + hop_us
    code = 503 if work.status == "error" and work.first_byte_us is None else 200
    left_us = None if fate.left_us is None else fate.left_us + plan.edge_us
    if left_us is None or left_us >= done_us:
        return _Sight(done_us, code, True, str(code), head_us, size, made)
    if plan.hides and not plan.stream:
        if size <= BUFFER_BYTES:
            return _Sight(done_us, code, True, str(code), head_us, size, made)
        return _Sight(done_us, code, False, str(code), head_us, BUFFER_BYTES, reason="disconnect")
    if left_us < first_us or not plan.stream:
        return _Sight(left_us, 499, whole=False, upstream="-", reason="disconnect")
    tokens = work.tokens_made(left_us - hop_us)
    sent = HEAD_BYTES + BYTES_PER_TOKEN * tokens
    return _Sight(left_us, 200, False, "200", head_us, sent, tokens, "disconnect")


def _client_end(plan: Plan, fate: Fate, work: Work | None) -> int:
    if fate.kind == "gateway" and fate.left_us is not None:
        return fate.left_us + plan.edge_us
    if fate.left_us is not None:
        return fate.left_us
    return plan.ended_us if work is None or work.status == "ok" else work.finished_us + plan.down_us


def _ended(work: Work, at_us: int) -> Work:
    """The work as it stands when broken off: visible tokens come after the first byte, thinking before it."""
    first_us = work.first_byte_us
    got_far = first_us is not None and at_us > first_us
    made = work.tokens_made(at_us) if got_far else 0
    thought_by_us = first_us or work.finished_us
    thought = work.usage.thinking * min(at_us - work.received_us, thought_by_us - work.received_us)
    thinking = work.usage.thinking if got_far else thought // max(1, thought_by_us - work.received_us)
    usage = Usage(work.usage.input, work.usage.cached_input, made, thinking)
    return replace(work, finished_us=at_us, first_byte_us=first_us if got_far else None, usage=usage)


def _kill_times(spec: WorldSpec, rng: Random, arrivals: list[Arrival]) -> dict[tuple[str, int], list[int]]:
    """When which process is killed: somewhere in the traffic, shortly after a request of somebody."""
    kills: dict[tuple[str, int], list[int]] = {}
    for _ in range(spec.kills if arrivals else 0):
        slot = (rng.choice(spec.services), rng.randrange(SLOTS))
        at_us = rng.choice(arrivals).at_us + rng.randrange(SECOND_US, 4 * SECOND_US)
        kills.setdefault(slot, []).append(at_us)
    return {slot: sorted(times) for slot, times in kills.items()}
