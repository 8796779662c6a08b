"""The demo's calls and what became of each: the trace and a seed come in, finished `Call`s go out.

Everything here is what truly happened. Who saw what of it, and which files say so, is told in `logs`; what
it cost, in `truth`. Instants are microseconds since 1970, on one clock.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files as resource_files
from random import Random

from collector.demo import cast
from collector.demo.cast import HOUR_US, SECOND_US, Service

TRACE = "azure_llm_inference_2023_code.csv"
CHUNK_TOKENS = 6  # a stream arrives in pieces
QUIET_US = 12 * 60 * SECOND_US  # at the end of the day, so that all work is done when it ends


@dataclass(slots=True)
class Call:
    """One attempt: what was asked for, what the backend did, and what its client saw of it."""

    call_id: str
    request_id: str  # the client's own
    proxy_id: str  # the id that the proxy passed on
    completion_id: str
    service: Service
    started_us: int
    context: int
    cached: int
    wanted_output: int
    wanted_thinking: int
    process: str = ""
    retry_of: str | None = None
    # the backend's side
    received_us: int = 0
    begun_us: int = 0  # of generation
    first_us: int = 0  # of the visible output
    finished_us: int = 0
    tokens_per_s: float = 1.0
    status: str = "ok"
    output: int = 0
    thinking: int = 0
    logged: bool = True
    # the client's side; left_us is None where it stayed to the end
    left_us: int | None = None
    reason: str | None = None
    delivered_tokens: int = 0
    tags: set[str] = field(default_factory=set)

    @property
    def arrived_us(self) -> int:
        """When the end of the answer is with a client that stayed."""
        return self.finished_us + self.received_us - self.started_us

    def usage(self) -> dict[str, int]:
        """Tokens that were used, by usage kind."""
        return {
            "input": self.context - self.cached, "cached_input": self.cached, "output": self.output,
            "thinking": self.thinking,
        }  # fmt: skip


def trace() -> list[tuple[int, int, int]]:
    """The real hour: microseconds since its first request, context tokens, generated tokens."""
    with resource_files("collector.demo").joinpath(TRACE).open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    instants = [datetime.fromisoformat(row["TIMESTAMP"][:26]) for row in rows]
    offsets_us = [round((at - instants[0]).total_seconds() * SECOND_US) for at in instants]
    return [
        (offset_us, int(row["ContextTokens"]), int(row["GeneratedTokens"]))
        for offset_us, row in zip(offsets_us, rows, strict=True)
    ]


def day_of_calls(start_us: int, rng: Random) -> list[Call]:
    """Every call of the day that begins at `start_us` (a full hour), in order of their start."""
    day = _Day(start_us, rng)
    calls = list(day.calls())
    return sorted(calls, key=lambda call: (call.started_us, call.call_id))


class _Day:
    """The day as it goes by."""

    def __init__(self, start_us: int, rng: Random) -> None:
        self.start_us = start_us
        self.end_us = start_us + cast.DAY_HOURS * HOUR_US
        self.rng = rng
        self.kills_us = [start_us + round(at_s * SECOND_US) for at_s in cast.KILLS_S]

    def calls(self) -> Iterator[Call]:
        """The real hour, thinned to the shape of a day; a call and its retry come one after the other."""
        real = trace()
        for hour, share in enumerate(cast.DAY_SHAPE):
            turn_us = self.rng.randrange(HOUR_US)  # the hour begins at another place of the trace each time
            for offset_us, context, generated in real:
                if self.rng.random() >= share:
                    continue
                at_us = self.start_us + hour * HOUR_US + (offset_us + turn_us) % HOUR_US
                if at_us < self.end_us - QUIET_US:
                    yield from self._attempts(at_us, context, generated)

    def _attempts(self, at_us: int, context: int, generated: int) -> Iterator[Call]:
        """A call, and its retry where it timed out and its program tries again."""
        weights = cast.LONG if generated >= cast.LONG_TOKENS else cast.SHORT
        services, shares = [one for one, _ in weights], [share for _, share in weights]
        service = self.rng.choices(services, shares)[0]
        call = self._live(service, at_us, context, generated)
        yield call
        for _ in range(service.retries):
            if call.reason != "timeout" or call.left_us is None:
                return
            again_us = call.left_us + self.rng.randrange(SECOND_US, 2 * SECOND_US)
            call = self._live(service, again_us, context, generated, retry_of=call.call_id)
            yield call

    def _live(self, service: Service, at_us: int, context: int, generated: int, *, retry_of: str | None = None) -> Call:
        """One attempt from its start to its end."""
        rng = self.rng
        call = Call(
            call_id=f"c-{rng.getrandbits(40):010x}", request_id=f"{rng.getrandbits(64):016x}",
            proxy_id=f"{rng.getrandbits(128):032x}", completion_id=f"{rng.getrandbits(56):014x}",
            service=service, started_us=at_us, context=context, cached=round(context * self._cached(service)),
            wanted_output=generated,
            wanted_thinking=min(24_000, round(service.thinking * rng.lognormvariate(0, service.spread))),
            retry_of=retry_of,
        )  # fmt: skip
        self._work(call)
        self._leave(call)
        self._stop(call)
        self._deliver(call)
        call.logged = rng.random() >= cast.UNLOGGED_SHARE
        return call

    def _cached(self, service: Service) -> float:
        return 0.75 if self.rng.random() < service.cached_share else 0.0

    def _work(self, call: Call) -> None:
        """What the backend does when nobody disturbs it."""
        rng = self.rng
        slow = self._slowness(call.started_us)
        call.process = self._process(call)
        call.received_us = call.started_us + rng.randrange(15_000, 60_000)
        prefill_s = (0.15 + call.context / 20_000 + rng.expovariate(10)) * slow
        call.tokens_per_s = call.service.model.speed * rng.lognormvariate(0, 0.2) / slow
        call.begun_us = call.received_us + round(prefill_s * SECOND_US)
        call.first_us = call.begun_us + self._takes_us(call, call.wanted_thinking)
        call.finished_us = call.first_us + self._takes_us(call, call.wanted_output)
        call.output, call.thinking = call.wanted_output, call.wanted_thinking
        if rng.random() < cast.ERROR_SHARE:
            call.finished_us = call.received_us + rng.randrange(SECOND_US // 5, 3 * SECOND_US)
            call.status, call.output, call.thinking = "error", 0, 0

    def _slowness(self, at_us: int) -> float:
        second = (at_us - self.start_us) / SECOND_US
        return cast.SLOWNESS if cast.SLOW_FROM_S <= second < cast.SLOW_TO_S else 1.0

    @staticmethod
    def _takes_us(call: Call, tokens: int) -> int:
        return round(tokens / call.tokens_per_s * SECOND_US)

    def _process(self, call: Call) -> str:
        """Host and process; a kill replaces the processes of services that have workers."""
        if not call.service.workers:
            return f"{call.service.name}-1:4000"
        worker = self.rng.randrange(call.service.workers)
        generation = sum(at_us <= call.started_us for at_us in self.kills_us)
        return f"{call.service.name}-{worker}:{4000 + 10 * generation + worker}"

    def _leave(self, call: Call) -> None:
        """Whether and when the client leaves: the first of killed, timed out, broken off, had enough."""
        if call.status == "error":
            return
        choices = [*self._killed(call), *self._timed_out(call), *self._reset(call), *self._had_enough(call)]
        if choices:
            call.left_us, call.reason = min(choices)

    def _killed(self, call: Call) -> Iterator[tuple[int, str]]:
        if call.service.workers:
            for at_us in self.kills_us:
                if call.started_us < at_us < call.arrived_us:
                    yield at_us, "vanished"

    def _timed_out(self, call: Call) -> Iterator[tuple[int, str]]:
        if call.service.timeout_s is not None:
            left_us = call.started_us + round(call.service.timeout_s * SECOND_US) + self.rng.randrange(15_000)
            if left_us < call.arrived_us:
                yield left_us, "timeout"

    def _reset(self, call: Call) -> Iterator[tuple[int, str]]:
        if not call.service.stream and self.rng.random() < cast.RESET_SHARE:
            yield self.rng.randrange(call.received_us, call.finished_us), "error"

    def _had_enough(self, call: Call) -> Iterator[tuple[int, str]]:
        """A reader leaves before the first word, in the middle, or with the last word already there."""
        rng = self.rng
        if rng.random() >= call.service.leave_share:
            return
        luck = rng.random()
        if luck < cast.LEFT_BEFORE_SHARE:
            waited = rng.uniform(0.3, 1.0) * (call.first_us - call.started_us)
            yield call.started_us + round(waited), call.service.reason
        elif luck < cast.LEFT_MIDWAY_SHARE:
            read = rng.uniform(0.0, 0.95) * (call.finished_us - call.first_us)
            yield call.first_us + self._trip_us(call) + round(read), call.service.reason
        else:
            call.tags.add("all arrived")
            yield call.arrived_us - 1, call.service.reason

    @staticmethod
    def _trip_us(call: Call) -> int:
        return call.received_us - call.started_us

    def _stop(self, call: Call) -> None:
        """What the backend does when it is left: it mostly runs on, and now and then stops or fails later."""
        if call.left_us is None or call.left_us >= call.finished_us:
            return
        if call.service.stream and self.rng.random() < cast.STOP_SHARE:
            stopped_us = call.left_us + self.rng.randrange(50_000, 400_000)
            if stopped_us < call.finished_us:
                self._end(call, max(stopped_us, call.received_us + 20_000), "cancelled")
        elif call.reason == "timeout" and self.rng.random() < cast.LATE_ERROR_SHARE:
            self._end(call, self.rng.randrange(call.left_us, call.finished_us + SECOND_US), "error")

    @staticmethod
    def _end(call: Call, at_us: int, status: str) -> None:
        """The work ends early; what was generated until then stands."""
        made = max(0, round((at_us - call.begun_us) / SECOND_US * call.tokens_per_s))
        call.finished_us, call.status = at_us, status
        call.thinking = min(call.wanted_thinking, made)
        call.output = min(call.wanted_output, made - call.thinking)

    def _deliver(self, call: Call) -> None:
        """How much of the visible output its client got."""
        if call.left_us is None or "all arrived" in call.tags:
            call.delivered_tokens = call.output
        elif call.service.stream and call.reason != "vanished":
            since_us = call.left_us - self._trip_us(call) - call.first_us
            if since_us >= 0:
                tokens = round(since_us / SECOND_US * call.tokens_per_s) // CHUNK_TOKENS * CHUNK_TOKENS
                call.delivered_tokens = min(max(tokens, 1), call.output)
