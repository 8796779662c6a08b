"""What is to be tried: modes, ways and instants come in, the calls in their order go out. Pure.

A cell is one way of leaving in one mode at one instant. A control is a call that nobody leaves: it shows that the
endpoint answers, and that the log tells of a call that went well.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from collector.config.values import duration_us
from collector.problems import UsageError

Mode = Literal["stream", "unary"]
Way = Literal["fin", "rst"]

FIRST = "first+"
TRIED_ENOUGH = 2  # answers in a cell that came whole before it was left


@dataclass(frozen=True, slots=True)
class Instant:
    """When a call is left: so long after its request was sent, or after the first byte of a stream's answer."""

    delay_us: int
    after_first: bool
    text: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One way of leaving."""

    mode: Mode
    way: Way
    instant: Instant

    @property
    def name(self) -> str:
        """As a person reads it: `stream fin first+500ms`."""
        return f"{self.mode} {self.way} {self.instant.text}"


@dataclass(frozen=True, slots=True)
class Step:
    """One call. `cell` is None for a control."""

    mode: Mode
    cell: Cell | None

    @property
    def name(self) -> str:
        """As a person reads it."""
        return self.cell.name if self.cell else f"{self.mode} control"


def instant(text: str) -> Instant:
    """`500ms` is after the request was sent, `first+500ms` after the answer's first byte. Raises UsageError."""
    after_first = text.startswith(FIRST)
    try:
        return Instant(duration_us(text.removeprefix(FIRST)), after_first, text)
    except ValueError as error:
        raise UsageError(f"--leave {text}: {error}; with {FIRST} before it: after the answer's first byte") from None


def cells(modes: Sequence[Mode], ways: Sequence[Way], instants: Sequence[Instant]) -> list[Cell]:
    """Every cell. A unary answer comes at once, so no unary call is left after its first byte.

    Raises UsageError where a mode is left without an instant.
    """
    told = [
        Cell(mode, way, at)
        for mode in modes
        for at in instants
        for way in ways
        if mode == "stream" or not at.after_first
    ]
    for mode in modes:
        if not any(cell.mode == mode for cell in told):
            raise UsageError(f"--leave: no instant for {mode} calls; give one counted from the sending, like 1s")
    return told


def steps(told: Sequence[Cell], calls_a_cell: int, controls: int = 1) -> Iterator[Step]:
    """The controls, so many a mode, then the cells in turn, so that a probe cut short has some of each."""
    for mode in dict.fromkeys(cell.mode for cell in told):
        yield from [Step(mode, None)] * controls
    for _ in range(calls_a_cell):
        for cell in told:
            yield Step(cell.mode, cell)


def cell_of(mode: Mode, leaving: str | None) -> Cell | None:
    """The cell that `Cell.name` without its mode stands for; None for a control. Raises ValueError."""
    if leaving is None:
        return None
    parts = re.fullmatch(r"(fin|rst) (\S+)", leaving)
    if parts is None:
        raise ValueError(f"no way of leaving: {leaving!r}")
    way: Way = "fin" if parts[1] == "fin" else "rst"
    return Cell(mode, way, instant(parts[2]))
