"""What the client wrote, as calls: each started line with its ended line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Line = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """One call: what its two lines say; `ended` is empty where there is none."""

    started: Line
    ended: Line

    @property
    def fate(self) -> tuple[str | None, str | None]:
        """Outcome and reason."""
        return self.ended.get("outcome"), self.ended.get("reason")


def lines(log: Path) -> list[Line]:
    """Every line, parsed."""
    if not log.exists():
        return []
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def pairs(log: Path) -> list[Pair]:
    """The calls in the order of their starts. AssertionError where a line stands alone or twice."""
    found = lines(log)
    starts = {line["call_id"]: line for line in found if line["event"] == "started"}
    ends = {line["call_id"]: line for line in found if line["event"] == "ended"}
    assert len(starts) + len(ends) == sum(line["event"] in {"started", "ended"} for line in found), "a line came twice"
    assert set(ends) <= set(starts), "an end without a start"
    return [Pair(start, ends.get(call_id, {})) for call_id, start in starts.items()]


def only(log: Path) -> Pair:
    """The one call there is."""
    found = pairs(log)
    assert len(found) == 1, found
    return found[0]
