"""Invents what would happen if nobody ever left: arrivals, sizes, ids and timings.

A spec and a seeded generator come in, plans go out; who leaves when is decided in `world_fates`.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import exp, log
from pathlib import Path
from random import Random

from tests.world_calls import Ids, Usage
from tests.world_spec import HOUR_US, SECOND_US, ModelSpec, WorldSpec

TTFB_SHARE = (0.1, 0.4)  # of a stream's time passes before its first byte
LATENCY_S = (6.0, 0.7)  # median and sigma of the lognormal
TOKENS_PER_S = (60.0, 0.35)
SLOTS = 3  # processes a service


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request that somebody makes. Token counts are None where they are free to be invented."""

    at_us: int
    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One call as it would go if everybody waited. All instants by the true clock."""

    call_id: str
    retry_of: str | None
    service: str
    slot: int
    account: str
    model: ModelSpec
    stream: bool
    watched: bool
    proxied: bool
    hides: bool
    ids: Ids
    usage: Usage
    started_us: int
    edge_us: int  # from the client to nginx, either way
    up_us: int  # from the client to the backend
    down_us: int  # and back
    received_us: int
    first_byte_us: int | None
    finished_us: int
    ended_us: int

    @property
    def input_tokens(self) -> int:
        """As its provider counts them: with the cached ones."""
        return self.usage.input + self.usage.cached_input


def lognormal(rng: Random, median: float, sigma: float) -> float:
    """One draw."""
    return exp(rng.gauss(log(median), sigma))


def poisson_arrivals(spec: WorldSpec, rng: Random) -> Iterator[Arrival]:
    """Arrivals at the spec's rate; with `hours`, in bursts that lie across full hours where they fit."""
    burst_calls = max(1, -(-spec.calls // spec.hours)) if spec.hours else spec.calls
    burst_us = int(burst_calls / spec.rate_per_s * SECOND_US)
    apart = spec.hours > 0 and burst_us < HOUR_US
    clock_us = 0.0
    for index in range(spec.calls):
        clock_us += rng.expovariate(spec.rate_per_s) * SECOND_US
        if not apart:
            yield Arrival(spec.start_us + int(clock_us))
            continue
        if index and index % burst_calls == 0:
            clock_us = 0.0
        boundary_us = spec.start_us + (index // burst_calls + 1) * HOUR_US
        yield Arrival(boundary_us - burst_us // 2 + int(clock_us))


def trace_arrivals(spec: WorldSpec, path: Path) -> Iterator[Arrival]:
    """The first `spec.calls` requests of a trace, moved to `spec.start` (columns: `world.from_trace`)."""
    first_us: int | None = None
    with path.open(newline="", encoding="utf-8") as file:
        for row, _ in zip(csv.DictReader(file), range(spec.calls), strict=False):
            at = datetime.fromisoformat(row["TIMESTAMP"][:26]).replace(tzinfo=UTC)
            at_us = int(at.timestamp()) * SECOND_US + at.microsecond
            first_us = at_us if first_us is None else first_us
            tokens = int(row["ContextTokens"]), int(row["GeneratedTokens"])
            yield Arrival(spec.start_us + at_us - first_us, *tokens)


class Planner:
    """Draws plans. Holds the generator and the running numbers, nothing else."""

    def __init__(self, spec: WorldSpec, rng: Random) -> None:
        self.spec = spec
        self.rng = rng
        self._count = 0
        self._trace = f"{rng.getrandbits(128):032x}"

    def first(self, arrival: Arrival) -> Plan:
        """A new request."""
        rng, spec = self.rng, self.spec
        account = rng.choice(spec.accounts)
        model = rng.choice(spec.models_of(account))
        stream = rng.random() < spec.stream_share
        proxied = rng.random() < spec.proxy_share
        watched = not (proxied and rng.random() < spec.proxy_only_share)
        usage = self._usage(arrival, model)
        took_s = self._latency_s(usage, invented=arrival.output_tokens is None)
        if arrival.output_tokens is None:
            usage = replace(usage, output=max(50, min(3000, int(took_s * lognormal(rng, *TOKENS_PER_S)))))
        return self._timed(
            arrival.at_us, took_s, stream=stream, proxied=proxied, watched=watched, account=account,
            model=model, usage=usage, service=rng.choice(spec.services), slot=rng.randrange(SLOTS),
            ids=self.ids(proxied=proxied, watched=watched), retry_of=None,
        )  # fmt: skip

    def again(self, plan: Plan, left_us: int) -> Plan:
        """The same request, tried again a moment after the client gave it up."""
        rng, old = self.rng, plan.ids
        at_us = left_us + int(lognormal(rng, 0.6, 0.4) * SECOND_US)
        if rng.random() < self.spec.same_id_share:
            proxy_id = self._hex(128) if old.proxy not in {None, old.request} else old.proxy
            ids = replace(
                old, span=old.span and self._hex(64), response=old.response and self._response_id(),
                proxy=proxy_id,
                backend_request=old.backend_request and (proxy_id if plan.proxied else old.request),
            )  # fmt: skip
        else:
            ids = self.ids(proxied=plan.proxied, watched=plan.watched)
        took_s = self._latency_s(plan.usage, invented=True)
        return self._timed(
            at_us, took_s, stream=plan.stream, proxied=plan.proxied, watched=plan.watched,
            account=plan.account, model=plan.model, usage=plan.usage, service=plan.service, slot=plan.slot,
            ids=ids, retry_of=plan.call_id,
        )  # fmt: skip

    def ids(self, *, proxied: bool, watched: bool) -> Ids:
        """Which ids a call has, and which of them the backend's log will show."""
        rng, spec = self.rng, self.spec
        on_backend = rng.random() < spec.id_share
        traced = rng.random() < (0.5 if on_backend else spec.trace_share)
        told = rng.random() < (0.3 if on_backend or traced else spec.response_id_share)
        request = self._hex(64) if watched and (on_backend or proxied or rng.random() < 0.5) else None
        own = proxied and (request is None or rng.random() < spec.proxy_own_id_share)
        proxy = self._hex(128) if own else request if proxied else None
        tracing = traced or rng.random() < 0.3
        if rng.random() < 0.7:  # else one more call of the same trace
            self._trace = self._hex(128)
        return Ids(
            request=request, trace=self._trace if tracing else None, span=self._hex(64) if tracing else None,
            response=self._response_id() if told else None, proxy=proxy,
            backend_request=(proxy if proxied else request) if on_backend else None, backend_trace=traced,
        )  # fmt: skip

    def _usage(self, arrival: Arrival, model: ModelSpec) -> Usage:
        rng = self.rng
        total = arrival.input_tokens
        if total is None:
            total = max(100, min(8000, int(lognormal(rng, 1200, 0.9))))
        cached = int(total * rng.uniform(0.1, 0.9)) if rng.random() < 0.4 else 0
        thinking = min(8000, int(lognormal(rng, 400, 0.9))) if model.thinking and rng.random() < 0.6 else 0
        return Usage(total - cached, cached, arrival.output_tokens or 0, thinking)

    def _latency_s(self, usage: Usage, *, invented: bool) -> float:
        if invented:
            return max(0.3, min(300.0, lognormal(self.rng, *LATENCY_S)))
        return 0.3 + (usage.output + usage.thinking) / lognormal(self.rng, *TOKENS_PER_S)

    def _timed(
        self, at_us: int, took_s: float, *, stream: bool, proxied: bool, watched: bool, account: str,
        model: ModelSpec, usage: Usage, service: str, slot: int, ids: Ids, retry_of: str | None,
    ) -> Plan:  # fmt: skip
        rng, spec = self.rng, self.spec
        up_us, down_us = (int(lognormal(rng, spec.delay_ms, spec.delay_sigma) * 1000) for _ in range(2))
        edge_us = min(up_us, down_us) // 3 if proxied else 0
        received_us = at_us + up_us
        finished_us = received_us + int(took_s * SECOND_US)
        wait_us = int((finished_us - received_us) * rng.uniform(*TTFB_SHARE))
        first_us = received_us + wait_us if stream else None
        tail_us = rng.randrange(20_000, 200_000) if stream else 0  # the closing frames of a stream
        hides = proxied and rng.random() < spec.proxy_hides_share
        self._count += 1
        return Plan(
            call_id=f"c{spec.seed}-{self._count:06d}", retry_of=retry_of, service=service, slot=slot,
            account=account, model=model, stream=stream, watched=watched, proxied=proxied, hides=hides,
            ids=ids, usage=usage, started_us=at_us, edge_us=edge_us, up_us=up_us, down_us=down_us,
            received_us=received_us, first_byte_us=first_us, finished_us=finished_us,
            ended_us=finished_us + down_us + tail_us,
        )  # fmt: skip

    def _hex(self, bits: int) -> str:
        return f"{self.rng.getrandbits(bits):0{bits // 4}x}"

    def _response_id(self) -> str:
        return f"resp-{self._hex(72)}"
