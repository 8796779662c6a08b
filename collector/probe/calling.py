"""The calls of a probe, one after the other, within its budget. A plan comes in, lines in the probe's room go out.

Each call's worst price is taken from the budget before a byte of it leaves. The calls end early when a control fails,
when several in a row fail, when the budget is used up, and on Ctrl-C; a cell whose answers come before they can be
left is given up.
"""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from collector.probe.call import Clock, Seen, call
from collector.probe.plan import TRIED_ENOUGH, Cell, Mode, Step
from collector.probe.room import Room
from collector.probe.target import Target
from collector.probe.worst import Budget

FAILED_IN_A_ROW_MAX = 3
HTTP_REDIRECTED, HTTP_FAILED = 300, 400


@dataclass(frozen=True, slots=True)
class Pace:
    """How long an answer is waited for, and how long until the next call. `id_header`: which header carries the id."""

    patience_s: float
    pause_s: float
    id_header: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Why the calls ended: `whole` (the plan was done), `budget`, `failing` or `interrupted`; and in words."""

    how: str
    told: str


class Caller:
    """Makes the calls of one probe, and keeps the log of them."""

    def __init__(  # noqa: PLR0913 - keyword arguments, one a part
        self, room: Room, targets: Mapping[Mode, Target], worst_nano: Mapping[Mode, int | None], budget: Budget, *,
        pace: Pace, clock_us: Clock, say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._room, self._targets, self._worst = room, targets, worst_nano
        self._budget, self._pace, self._clock_us, self._say = budget, pace, clock_us, say
        self._early: Counter[Cell] = Counter()
        self._failed_in_a_row = 0

    def make(self, steps: Iterable[Step]) -> Ended:
        """Make them; why they ended. Ctrl-C ends them, and the call in hand is left by FIN."""
        todo = list(steps)
        try:
            for number, step in enumerate(todo, 1):
                if step.cell is not None and self._early[step.cell] >= TRIED_ENOUGH:
                    continue
                if not self._budget.take(self._worst[step.mode]):
                    return Ended("budget", f"The budget was used up before call {number} of {len(todo)}.")
                seen = self._one(step, f"{number}/{len(todo)}")
                if told := self._failing(step, seen):
                    return Ended("failing", told)
                time.sleep(self._pace.pause_s)
        except KeyboardInterrupt:
            return Ended("interrupted", "Interrupted: no more calls are made.")
        return Ended("whole", "")

    def _one(self, step: Step, place: str) -> Seen:
        call_id = f"{self._room.about.name}-{self._budget.calls:04d}"
        span = (secrets.token_hex(16), secrets.token_hex(8))
        target = self._targets[step.mode]
        ids = {self._pace.id_header: call_id, "traceparent": f"00-{span[0]}-{span[1]}-01"}
        self._room.started(call_id, step, span, {"request_bytes": len(target.body)}, self._clock_us())
        try:
            seen = call(target, ids, step.cell, patience_s=self._pace.patience_s, clock_us=self._clock_us)
        except KeyboardInterrupt:
            self._room.ended(call_id, Seen(ended_us=self._clock_us()), "aborted", "interrupt")
            raise
        outcome, reason = _outcome(seen)
        self._room.ended(call_id, seen, outcome, reason)
        self._say(f"{place:>7}  {step.name:<28}{_told(seen, outcome)}")
        if step.cell is not None and seen.is_whole and outcome == "delivered":
            self._early[step.cell] += 1
            if self._early[step.cell] == TRIED_ENOUGH:
                self._say(f"{'':>7}  {step.name:<28}given up: the answer comes before it can be left")
        return seen

    def _failing(self, step: Step, seen: Seen) -> str:
        """Why nothing more should be sent, if so."""
        failed = _outcome(seen)[0] == "failed" or bool(seen.trouble)
        self._failed_in_a_row = self._failed_in_a_row + 1 if failed else 0
        if failed and step.cell is None:
            return f"The {step.name} failed ({_told(seen, 'failed')}): nothing more is sent."
        if self._failed_in_a_row >= FAILED_IN_A_ROW_MAX:
            return f"{FAILED_IN_A_ROW_MAX} calls in a row failed: nothing more is sent."
        return ""


def _outcome(seen: Seen) -> tuple[str, str | None]:
    """The outcome and reason that the client log knows."""
    if seen.status_code is not None and seen.status_code >= HTTP_FAILED:
        return "failed", None
    if seen.was_left:
        return "aborted", "cancelled"
    if seen.is_whole and not seen.trouble:
        is_good = seen.status_code is not None and seen.status_code < HTTP_REDIRECTED
        return ("delivered", None) if is_good else ("failed", None)
    return ("aborted", "timeout") if seen.trouble.startswith("no ") and seen.ended_us else ("failed", None)


def _told(seen: Seen, outcome: str) -> str:
    if seen.trouble:
        return seen.trouble
    status = "no status yet" if seen.status_code is None else f"status {seen.status_code}"
    what = {"delivered": "answered whole", "aborted": "left", "failed": "failed"}[outcome]
    return f"{what}, {status}, {seen.bytes_received} bytes"
