"""How many of the calls that were left ran on: fates come in; a share a cell, and a finding a mode, go out. Pure.

The interval is Wilson's, 90 %, as everywhere in this program. Calls that left no trace, or are pending, may have been
stopped or not (a log that has those that stopped first would mislead): its low end takes them all as stopped, its high
end all as run on. What came too late or failed is no evidence.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from collector.costing.contradictions import HALF, interval
from collector.probe.judging import Fate, Judged, Looked
from collector.probe.plan import Cell, Mode

Says = Literal["yes", "no", "disputed", "unclear"]
CUT_SHORT_SHARE = 0.5  # of a control's output: below it, "ok" is hard to believe


@dataclass(frozen=True, slots=True)
class Share:
    """One cell, or a whole mode: fate -> calls, and what they come to."""

    fates: Counter[Fate]
    overrun_us: int | None  # the median, of those that ran on

    @property
    def counted(self) -> int:
        """The calls that say something."""
        return self.fates["ran on"] + self.fates["stopped"]

    @property
    def share(self) -> float | None:
        """Of those, how many ran on; None where there are none."""
        return self.fates["ran on"] / self.counted if self.counted else None

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The interval of the share; None where no call was left in time."""
        open_ = self.fates["no trace"] + self.fates["pending"]
        of_all = self.counted + open_
        if not of_all:
            return None
        low, _ = interval(self.fates["ran on"], of_all)
        _, high = interval(self.fates["ran on"] + open_, of_all)
        return low, high

    @property
    def runs_on(self) -> Says:
        """Whether most of such calls run on: only where the whole interval lies on one side of 1/2."""
        if self.bounds is None or self.bounds[0] <= HALF <= self.bounds[1]:
            return "unclear"
        return "yes" if self.bounds[0] > HALF else "no"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe found out about one mode. `doubt`: why it is not to be believed, if so. `billed`: by the bill."""

    mode: Mode
    whole: Share
    cells: tuple[tuple[Cell, Share], ...]
    runs_on: Says
    doubt: str = ""
    billed: Literal["yes", "no"] | None = None


def findings(looked: Looked) -> list[Finding]:
    """A finding for each mode of which a call was left."""
    modes = dict.fromkeys(one.made.mode for one in looked.judged if one.made.cell is not None)
    return [_finding(mode, [one for one in looked.judged if one.made.mode == mode], looked) for mode in modes]


def _finding(mode: Mode, judged: Sequence[Judged], looked: Looked) -> Finding:
    found = dict.fromkeys(one.made.cell for one in judged)
    cells = tuple((cell, share_of(one for one in judged if one.made.cell == cell)) for cell in found if cell)
    whole = share_of(one for one in judged if one.made.cell is not None)
    said = {share.runs_on for _, share in cells}
    doubt = _doubt(judged, looked)
    if {"yes", "no"} <= said:
        return Finding(mode, whole, cells, "disputed", doubt)
    return Finding(mode, whole, cells, "unclear" if doubt else whole.runs_on, doubt)


def share_of(judged: Iterable[Judged]) -> Share:
    """The share of these calls."""
    told = list(judged)
    overruns = [one.overrun_us for one in told if one.fate == "ran on" and one.overrun_us is not None]
    return Share(Counter(one.fate for one in told), round(median(overruns)) if overruns else None)


def _doubt(judged: Sequence[Judged], looked: Looked) -> str:
    """A log may call work `ok` that was cut off: its output is then much shorter than a control's."""
    left = [one.output_tokens for one in judged if one.fate == "ran on" and one.output_tokens is not None]
    if not left or not looked.controls_output_tokens:
        return ""
    usual, got = median(looked.controls_output_tokens), median(left)
    if got >= usual * CUT_SHORT_SHARE:
        return ""
    return (
        f"the log calls them whole, but their output is {got:g} tokens (median) where a control's is {usual:g}: "
        "it may call work whole that was cut off"
    )
