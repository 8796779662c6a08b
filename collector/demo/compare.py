"""What was found beside what is true: the ledger's aborts and the generator's losses come in, sums go out.

Nothing is judged here: differences are sorted by what is known about each abort, and added up.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from collector.demo.truth import Loss

UNSEEN = "no completion log shows the work: unmatched"
GUESSED = "seen by nginx only, left midway: share by time"
UNBILLED = "not billed yet: list price, discount unknown"
EXACT = "all others: tokens counted, bill settled"
CAUSES = (UNBILLED, GUESSED, UNSEEN, EXACT)


class Found(NamedTuple):
    """One abort as the ledger has it (found.sql)."""

    call_id: str
    service: str
    reason: str
    verdict: str
    evidence: str
    share_evidence: str | None
    basis: str | None
    completion_id: str | None
    lost_nano: int
    avoidable_nano: int
    started_at_us: int
    ended_at_us: int | None
    finished_at_us: int | None
    nginx: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table: what it is about, how many aborts, what was found, and what is true."""

    name: str
    aborts: int
    found_nano: int
    true_nano: int

    @property
    def difference_nano(self) -> int:
        """What was found beyond the truth."""
        return self.found_nano - self.true_nano


def total(found: Sequence[Found], losses: Sequence[Loss]) -> Line:
    """All aborts."""
    return Line("all", len(found), sum(one.lost_nano for one in found), sum(one.lost_nano for one in losses))


def by_service(found: Sequence[Found], losses: Sequence[Loss]) -> list[Line]:
    """One line a service, the dearest first."""
    return _lines(found, losses, lambda one: one.service)


def by_reason(found: Sequence[Found], losses: Sequence[Loss]) -> list[Line]:
    """One line a reason, the dearest first."""
    return _lines(found, losses, lambda one: one.reason)


def _lines(found: Iterable[Found], losses: Iterable[Loss], name: Callable[[Found | Loss], str]) -> list[Line]:
    aborts: Counter[str] = Counter()
    nano: dict[str, list[int]] = {}
    for one in found:
        aborts[name(one)] += 1
        nano.setdefault(name(one), [0, 0])[0] += one.lost_nano
    for loss in losses:
        nano.setdefault(name(loss), [0, 0])[1] += loss.lost_nano
    lines = [Line(key, aborts[key], *amounts) for key, amounts in nano.items()]
    return sorted(lines, key=lambda line: -line.true_nano)


def causes(found: Sequence[Found], losses: Sequence[Loss]) -> Mapping[str, Line]:
    """Where found and true differ, by what is known about the abort."""
    known = {one.completion_id: one for one in found if one.completion_id is not None}
    sums = {cause: [0, 0, 0] for cause in CAUSES}
    for loss in losses:
        one = known.pop(loss.completion_id, None)
        entry = sums[_cause(one)]
        entry[0] += 1
        entry[1] += one.lost_nano if one else 0
        entry[2] += loss.lost_nano
    for one in known.values():  # matched to work that nobody had left
        sums[UNSEEN][1] += one.lost_nano
    return {cause: Line(cause, *entry) for cause, entry in sums.items()}


def _cause(one: Found | None) -> str:
    if one is None:
        return UNSEEN
    if one.share_evidence not in ("tokens", "nothing", "vanished", "outside"):
        return GUESSED
    return UNBILLED if one.basis == "estimated" else EXACT


def by_nginx(found: Iterable[Found]) -> list[tuple[str, int, int]]:
    """What nginx had logged for the aborts: words, how many, what was lost. Status 499 comes first."""
    aborts: Counter[str] = Counter()
    nano: Counter[str] = Counter()
    for one in found:
        aborts[one.nginx] += 1
        nano[one.nginx] += one.lost_nano
    order = sorted(aborts, key=lambda logged: (logged == "", "499" not in logged, -aborts[logged]))
    return [(logged, aborts[logged], nano[logged]) for logged in order]


def dearest(found: Iterable[Found], count: int) -> list[Found]:
    """The most expensive orphans."""
    orphans = [one for one in found if one.verdict == "orphaned"]
    return sorted(orphans, key=lambda one: (-one.lost_nano, one.call_id))[:count]
