"""Weeks as people name them: ISO weeks in UTC, from Monday 00:00 up to, but not with, the next one.

Text, instants and numbers of weeks come in; frozen weeks go out. No clock is read here.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from collector.problems import UsageError
from collector.records import instant_us

MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
WEEK_US = 7 * DAY_US
YEAR_MIN, YEAR_END = 2000, 2100  # the years that a log may have


@dataclass(frozen=True, slots=True, order=True)
class Week:
    """One ISO week by its first instant (microseconds since 1970, a Monday 00:00 UTC)."""

    start_us: int

    @property
    def end_us(self) -> int:
        """The first instant after it."""
        return self.start_us + WEEK_US

    @property
    def name(self) -> str:
        """As ISO 8601 writes it: 2026-W47."""
        year, number, _ = _day(self.start_us).isocalendar()
        return f"{year}-W{number:02d}"

    @property
    def days(self) -> str:
        """Its first and last day in words: "16 to 22 November 2026"."""
        first, last = _day(self.start_us), _day(self.end_us - 1)
        if first.year != last.year:
            return f"{_words(first)} {first.year} to {_words(last)} {last.year}"
        month = "" if first.month == last.month else f" {first:%B}"
        return f"{first.day}{month} to {_words(last)} {last.year}"

    @property
    def short(self) -> str:
        """Its first day, for an axis: "16 Nov"."""
        first = _day(self.start_us)
        return f"{first.day} {first:%b}"

    def before(self, weeks: int = 1) -> "Week":
        """The week that lies so many weeks before this one."""
        return Week(self.start_us - weeks * WEEK_US)

    def due_us(self, weekday: int, hour: int, minute: int) -> int:
        """The first such time of the week (Monday is 0) at or after its end: when its report is due."""
        return self.end_us + weekday * DAY_US + (hour * 60 + minute) * MINUTE_US


def named(text: str) -> Week:
    """The week that `text` (2026-W47) names. Raises UsageError for anything else."""
    parts = re.fullmatch(r"(\d{4})-W(\d\d)", text)
    expected = f"--week: {text!r} is no week; expected an ISO week, like 2026-W47"
    try:
        monday = date.fromisocalendar(int(parts[1]), int(parts[2]), 1) if parts else date.min
    except ValueError:
        raise UsageError(expected) from None
    if not YEAR_MIN <= monday.year < YEAR_END:
        raise UsageError(expected)
    return Week(instant_us(datetime(monday.year, monday.month, monday.day, tzinfo=UTC)))


def holding(at_us: int) -> Week:
    """The week that the instant lies in."""
    day = _day(at_us)
    monday = day - timedelta(days=day.weekday())
    return Week(instant_us(datetime(monday.year, monday.month, monday.day, tzinfo=UTC)))


def last_due(now_us: int, weekday: int, hour: int, minute: int) -> Week:
    """The newest week whose report is due by `now_us`."""
    week = holding(now_us).before()
    return week if week.due_us(weekday, hour, minute) <= now_us else week.before()


def _day(at_us: int) -> date:
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).date()


def _words(day: date) -> str:
    return f"{day.day} {day:%B}"
