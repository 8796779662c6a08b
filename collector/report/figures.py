"""Every figure of one week's report, read from the ledger: rows of named SQL files become frozen values.

A connection (as of some instant), the session's values and a week come in; `Figures` go out. Money is whole
nano-units, instants are microseconds. Nothing is rounded and no word is chosen here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from collector.ledger import dialect
from collector.ledger.summary import Window, spend
from collector.records import WindowSpend
from collector.report.advice import Change, changes
from collector.report.weeks import WEEK_US, Week

PACKAGE = "collector.report"
WEEKS_SHOWN = 8
SERVICES_MAX = 12
MODELS_MAX = 12
ORPHANS_MAX = 10
PROBLEM_KINDS_MAX = 6

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WeekSpend:
    """One week and currency, as known now and as its own report could tell when it was due.

    `spend` is None where the ledger knows nothing of that week, `told_nano` where no run had been made by then.
    """

    week: Week
    spend: WindowSpend | None
    told_nano: int | None


@dataclass(frozen=True, slots=True)
class Money:
    """One currency's part of a report. Rows are as their SQL files name the columns."""

    currency: str
    weeks: tuple[WeekSpend, ...]  # oldest first; the last is the report's own
    standing: tuple[Row, ...]
    whose: tuple[Row, ...]
    models: tuple[Row, ...]
    dearest: tuple[Row, ...]
    changes: tuple[Change, ...]
    bill: Mapping[str, Row]  # settled, open, other

    @property
    def now(self) -> WindowSpend:
        """The report's own week."""
        found = self.weeks[-1].spend
        return found or WindowSpend(self.weeks[-1].week.name, self.currency, 0, 0, 0, 0, {})

    @property
    def before(self) -> WindowSpend | None:
        """The week before; None where nothing is known of it."""
        return self.weeks[-2].spend


@dataclass(frozen=True, slots=True)
class Figures:
    """What one report draws. `monies`: the headline currency first, then every other that has a figure."""

    week: Week
    known_us: int  # the run whose knowledge this is
    currency: str
    known: bool  # whether the ledger knows anything of the week
    aborts: int
    verdicts: Mapping[str, int]  # verdict -> aborts of the week
    unknown: int  # aborts that lost something of which the cost is unknown
    monies: tuple[Money, ...]
    settled_through: tuple[tuple[str, str, int], ...]  # provider, account, instant
    problems: tuple[tuple[str, int], ...]

    @property
    def under_way(self) -> bool:
        """Whether the week had not ended when this was known."""
        return self.known_us < self.week.end_us


def draw(
    connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any], week: Week, due: tuple[int, int, int]
) -> Figures:
    """The figures of `week`. `values` holds currency and horizon_us; `due` is the time of the week of reports."""
    first_run_us, known_us = dialect.run(connection, PACKAGE, "run_extent")[0]
    weeks = [week.before(count) for count in range(WEEKS_SHOWN - 1, -1, -1)]
    bound = {
        **values, "now_us": known_us, "start_us": week.start_us, "end_us": week.end_us,
        "starts_us": [one.start_us for one in weeks], "ends_us": [one.end_us for one in weeks],
        "services_max": SERVICES_MAX, "models_max": MODELS_MAX, "orphans_max": ORPHANS_MAX,
        "kinds_max": PROBLEM_KINDS_MAX,
    }  # fmt: skip
    dialect.run(connection, PACKAGE, "week_abort", bound)
    standing = _rows(connection, "standing", bound)
    history = _history(connection, bound, weeks, due, first_run_us)
    return Figures(
        week=week,
        known_us=known_us,
        currency=str(values["currency"]),
        known=any(one.week == week and one.spend for found in history.values() for one in found),
        aborts=sum(row["aborts"] for row in standing),
        verdicts=_verdicts(standing),
        unknown=sum(row["unknown"] for row in standing),
        monies=_monies(connection, bound, history, standing),
        settled_through=_settled_through(connection),
        problems=tuple(dialect.run(connection, PACKAGE, "problem_kind", bound)),
    )


def first_known(connection: duckdb.DuckDBPyConnection, week: Week) -> bool:
    """Whether the ledger knows any abort or bucket of `week`."""
    asked = {"starts_us": [week.start_us], "ends_us": [week.end_us]}
    return any(aborts or buckets for _, aborts, buckets in dialect.run(connection, PACKAGE, "known_week", asked))


def _settled_through(connection: duckdb.DuckDBPyConnection) -> tuple[tuple[str, str, int], ...]:
    return tuple(dialect.run(connection, "collector.ledger", "summary_through"))


def _rows(connection: duckdb.DuckDBPyConnection, name: str, bound: Mapping[str, Any]) -> list[Row]:
    """The rows of one .sql file beside this module, by column name."""
    return dialect.records(connection, PACKAGE, name, bound)


def _verdicts(standing: Sequence[Row]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for row in standing:
        counted[row["verdict"]] = counted.get(row["verdict"], 0) + row["aborts"]
    return counted


def _history(
    connection: duckdb.DuckDBPyConnection,
    bound: Mapping[str, Any],
    weeks: Sequence[Week],
    due: tuple[int, int, int],
    first_run_us: int,
) -> dict[str, list[WeekSpend]]:
    """The weeks by currency, the oldest first."""
    # A window takes what lies after its first instant, up to its last: half-open weeks, one microsecond earlier.
    windows = [Window(one.name, one.start_us - 1, one.end_us - 1) for one in weeks]
    spent = {(one.window, one.currency): one for one in spend(connection, bound, windows)}
    known = {start for start, *counts in dialect.run(connection, PACKAGE, "known_week", bound) if any(counts)}
    told = _told(connection, bound, weeks, due)
    found: dict[str, list[WeekSpend]] = {}
    for currency in sorted({name for _, name in spent}):
        found[currency] = [
            WeekSpend(
                one,
                spent[one.name, currency] if one.start_us in known else None,
                told.get((one.start_us, currency), 0) if first_run_us <= one.due_us(*due) else None,
            )
            for one in weeks
        ]
    return found


def _told(
    connection: duckdb.DuckDBPyConnection, bound: Mapping[str, Any], weeks: Sequence[Week], due: tuple[int, int, int]
) -> dict[tuple[int, str], int]:
    """What each week had lost as its own report could tell, by week and currency."""
    dues = {"dues_us": [one.due_us(*due) for one in weeks], "oldest_us": weeks[0].start_us, "slack_us": WEEK_US}
    rows = dialect.run(connection, PACKAGE, "correction", {**bound, **dues})
    return {(start_us, currency): int(nano) for start_us, currency, nano in rows}


def _monies(
    connection: duckdb.DuckDBPyConnection,
    bound: Mapping[str, Any],
    history: Mapping[str, list[WeekSpend]],
    standing: Sequence[Row],
) -> tuple[Money, ...]:
    """Each currency's part, the headline currency first."""
    tables = {name: _rows(connection, name, bound) for name in ("whose", "which_model", "dearest", "bill")}
    headline = bound["currency"]
    advised = changes(connection, bound, sorted({row["currency"] for row in standing if row["currency"]}))
    found = []
    for currency in sorted(history, key=lambda name: (name != headline, name)):
        mine = {name: tuple(row for row in rows if row["currency"] == currency) for name, rows in tables.items()}
        found.append(Money(
            currency=currency,
            weeks=tuple(history[currency]),
            standing=tuple(row for row in standing if row["currency"] == currency),
            whose=mine["whose"],
            models=mine["which_model"],
            dearest=mine["dearest"],
            changes=advised.get(currency, ()),
            bill={row["state"]: row for row in mine["bill"]},
        ))  # fmt: skip
    return tuple(found)
