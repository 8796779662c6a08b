"""What the tests of the report share: made-up figures, a ledger of several weeks, and the page as its reader sees it.

Nothing here decides what is right.
"""

import re
from collections.abc import Mapping
from html import unescape
from typing import Any

from collector.records import WindowSpend
from collector.report.figures import Figures, Money, WeekSpend
from collector.report.weeks import WEEK_US, Week, named
from tests.helpers import T0_US, Desk

NANO = 1_000_000_000
CENT = NANO // 100
WEEK = named("2026-W47")
NEXT_MONDAY_MINUTE = (WEEK.end_us - T0_US) // 60_000_000  # T0 is the Friday of that week
DUE = (0, 6, 0)


def spend(
    best: int, *, low: int | None = None, high: int | None = None, whole: int = 0, week: Week = WEEK
) -> WindowSpend:
    """A week's spend in cents of USD; `whole` is all inference spend."""
    parts = {"delivered": (whole - best) * CENT, "orphaned": best * CENT} if whole else {}
    low, high = best if low is None else low, best if high is None else high
    return WindowSpend(week.name, "USD", low * CENT, best * CENT, high * CENT, best * CENT // 2, parts)


def money(now: WindowSpend | None, before: WindowSpend | None = None, told: int | None = None, **more: Any) -> Money:
    """One currency, the last two of eight weeks on record; `told`: the week before as first told, in cents."""
    told_nano = None if told is None else told * CENT
    weeks = [WeekSpend(WEEK.before(count), None, None) for count in range(7, 1, -1)]
    weeks += [WeekSpend(WEEK.before(), before, told_nano), WeekSpend(WEEK, now, None)]
    fields: dict[str, Any] = {
        "currency": "USD", "weeks": tuple(weeks), "standing": (), "whose": (), "models": (), "dearest": (),
        "changes": (), "bill": {}, **more,
    }  # fmt: skip
    return Money(**fields)


def figures(*monies: Money, **more: Any) -> Figures:
    """A week that is over, with these currencies."""
    fields: dict[str, Any] = {
        "week": WEEK, "known_us": WEEK.end_us + WEEK_US // 7, "currency": "USD", "known": True, "aborts": 0,
        "verdicts": {}, "unknown": 0, "monies": monies, "settled_through": (), "problems": (), **more,
    }  # fmt: skip
    return Figures(**fields)


def text_of(html: str) -> str:
    """What a person reads: without styles, drawings and tags, each run of white space one blank."""
    bare = re.sub(r"<(style|svg)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", bare)).split())


def call(desk: Desk, call_id: str, minute: float, *, waits: float, works: float, **more: Any) -> None:
    """A call that was left after `waits` seconds, whose answer took `works` seconds; `more` is for its started line.

    `ended` and `completion` in `more` are for the other lines; `completion` None: the backend never ends it.
    """
    ended: Mapping[str, Any] = more.pop("ended", {})
    work: Mapping[str, Any] = more.pop("completion", {})
    desk.started(call_id, minute, **{"stream": False, **more})
    desk.ended(call_id, minute + waits / 60, **{"reason": "timeout", **ended})
    desk.completion(call_id, minute + works / 60, seconds=works, **{"stream": more.get("stream", False), **work})


def bill_all(desk: Desk, completions: int, hour: int = 0) -> None:
    """One hour's bill for so many of the desk's completions, at list price: 1000 tokens in, 2000 out each."""
    desk.bill("Input", hour, 1000 * completions, str(completions * 0.0003))
    desk.bill("Output", hour, 2000 * completions, str(completions * 0.005))
