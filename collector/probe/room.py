"""The directory of one probe: what was planned, and what the calls came to. Nothing of a header's value stands in it.

`probe.json`: whom it called. `calls.jsonl`: a client log (contract, section 5), which the collector reads like any
other; its started lines say under `probe` what the call was for. `ledger.duckdb`: what was read of the logs.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from collector.probe.call import Seen
from collector.probe.plan import Cell, Mode, Step, cell_of
from collector.probe.used import Used, used
from collector.problems import OperatingError, UsageError
from collector.records import instant_text, instant_us

ABOUT, CALLS, LEDGER = "probe.json", "calls.jsonl", "ledger.duckdb"
SERVICE = "orphaned-probe"
NOTHING = Used(None, None, None)


@dataclass(frozen=True, slots=True)
class About:
    """One probe. `urls`: mode -> the URL without its query. Instants in microseconds since 1970."""

    name: str
    started_us: int
    provider: str
    account: str | None
    model: str
    operation: str | None
    urls: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Made:
    """One call that was made. `outcome` None: its end was not written."""

    call_id: str
    mode: Mode
    cell: Cell | None
    outcome: str | None
    reason: str | None = None
    started_us: int = 0
    ended_us: int | None = None
    used: Used = NOTHING

    @property
    def was_left(self) -> bool:
        """Whether it was left as its cell says; a call that Ctrl-C cut off was not."""
        return self.cell is not None and (self.outcome, self.reason) == ("aborted", "cancelled")


@dataclass
class Room:
    """The directory, and where its parts are."""

    path: Path
    about: About
    calls: Path = field(init=False)
    ledger: Path = field(init=False)

    def __post_init__(self) -> None:
        """Name the parts."""
        self.calls, self.ledger = self.path / CALLS, self.path / LEDGER

    def started(self, call_id: str, step: Step, span: tuple[str, str], sizes: Mapping[str, int], at_us: int) -> None:
        """The line before the bytes leave."""
        about = self.about
        leaving = f"{step.cell.way} {step.cell.instant.text}" if step.cell else None
        self._write({
            "event": "started", "call_id": call_id, "at": instant_text(at_us), "service": SERVICE,
            "provider": about.provider, "account": about.account, "model": about.model,
            "operation": about.operation, "stream": step.mode == "stream", "request_id": call_id,
            "trace_id": span[0], "span_id": span[1], **sizes, "probe": {"mode": step.mode, "leave": leaving},
        })  # fmt: skip

    def ended(self, call_id: str, seen: Seen, outcome: str, reason: str | None) -> None:
        """The line when the last byte has come or never will."""
        self._write({
            "event": "ended", "call_id": call_id, "at": instant_text(seen.ended_us), "outcome": outcome,
            "reason": reason, "status_code": seen.status_code, "bytes_received": seen.bytes_received,
            "probe": asdict(used(seen.answer)),
        })  # fmt: skip

    def _write(self, line: Mapping[str, Any]) -> None:
        with self.calls.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _lines(self) -> Iterator[dict[str, Any]]:
        """The lines of the log, but for one that a killed probe has left half written."""
        for text in self.calls.read_text(encoding="utf-8").splitlines() if self.calls.exists() else []:
            with suppress(ValueError):
                yield json.loads(text)

    def made(self) -> list[Made]:
        """The calls on record, in their order."""
        found: dict[str, Made] = {}
        for line in self._lines():
            if line["event"] == "started":
                told = line["probe"]
                cell = cell_of(told["mode"], told["leave"])
                at_us = instant_us(datetime.fromisoformat(line["at"]))
                found[line["call_id"]] = Made(line["call_id"], told["mode"], cell, None, started_us=at_us)
            else:
                found[line["call_id"]] = replace(
                    found[line["call_id"]], outcome=line["outcome"], reason=line["reason"],
                    ended_us=instant_us(datetime.fromisoformat(line["at"])), used=Used(**line["probe"]),
                )  # fmt: skip
        return list(found.values())


def new(path: Path, about: About) -> Room:
    """A new directory. Raises OperatingError where it cannot be made."""
    try:
        path.mkdir(parents=True)
        (path / ABOUT).write_text(json.dumps(asdict(about), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise OperatingError(f"{path}: cannot be made: {error.strerror or error}. Nothing was called") from None
    return Room(path, about)


def known(path: Path) -> Room:
    """The directory of a probe that was made. Raises UsageError where it is none."""
    try:
        return Room(path, About(**json.loads((path / ABOUT).read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError):
        raise UsageError(f"--read {path}: no probe's directory (its {ABOUT} cannot be read)") from None
