"""Which week's report is wanted, as known when, and who is to get it: what `orphaned report` and the daemon do.

A Config and instants come in; a Report, or what became of its deliveries, goes out. The ledger is held while a
report is drawn or delivered, so that no second process delivers it as well. No clock is read here.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from collector import pipeline
from collector.config import Config
from collector.ledger import dialect
from collector.problems import UsageError
from collector.records import instant_text
from collector.report import delivery, document, weeks
from collector.report.delivery import Delivered
from collector.report.document import Report
from collector.report.figures import first_known
from collector.report.weeks import Week

PACKAGE = "collector.report"


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one week's deliveries."""

    week: Week
    outcomes: Sequence[Delivered]

    @property
    def failed(self) -> bool:
        """Whether somebody still lacks the report."""
        return any(one.error for one in self.outcomes)


def drawn(config: Config, *, week: Week | None = None, as_of_us: int | None = None) -> Report:
    """The report of `week` as known by `as_of_us`; the default is the newest whole week, as known by the last run.

    Where nothing is known of that week, the week under way is drawn as far as it goes. Raises UsageError where
    nothing was known by then, or where the week had not begun.
    """
    with pipeline.reading(config, as_of_us=as_of_us) as (connection, values):
        return _drawn(connection, values, config, week)


def deliver(config: Config, *, now_us: int, week: Week | None = None) -> Sent | None:
    """Deliver to every target of the config that lacks it the report of `week`, or else of the newest that is due.

    None: nothing is due, or everybody has it. A report that was due before the ledger's first run is nobody's.
    Raises UsageError where the config names no target or no run was made since the week ended, and LedgerBusyError
    where another process holds the ledger.
    """
    targets = config.report.targets(config.root, os.environ)
    if not targets:
        raise UsageError("report: names nowhere to deliver to; expected folder, mail or webhook")
    wanted = week or weeks.last_due(now_us, *_due(config))
    with pipeline.reading(config) as (connection, values):
        first_run_us, known_us = dialect.run(connection, PACKAGE, "run_extent")[0]
        if known_us < wanted.end_us:
            raise UsageError(
                f"{wanted.name} had not ended at the last run ({instant_text(known_us)}); deliver it later"
            )
        early = week is None and first_run_us > wanted.due_us(*_due(config))
        if early or not delivery.waiting(connection, wanted, targets):
            return None
        report = _drawn(connection, values, config, wanted)
        return Sent(wanted, delivery.deliver(connection, report, targets, now_us=now_us))


def has_targets(config: Config) -> bool:
    """Whether anybody is to get reports."""
    named = config.report
    return bool(named.folder or named.mail or named.webhook)


def _drawn(
    connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any], config: Config, week: Week | None
) -> Report:
    _, known_us = dialect.run(connection, PACKAGE, "run_extent")[0]
    if known_us is None:
        raise UsageError(
            f"--as-of {instant_text(values['now_us'])}: nothing was known by then; the first run came later"
        )
    chosen = week or _newest(connection, known_us)
    if chosen.start_us > known_us:
        raise UsageError(f"--week: {chosen.name} had not begun at the run of {instant_text(known_us)}")
    return document.draw(connection, values, chosen, _due(config))


def _newest(connection: duckdb.DuckDBPyConnection, known_us: int) -> Week:
    """The newest whole week; the one under way where the ledger knows only that."""
    whole, under_way = weeks.holding(known_us).before(), weeks.holding(known_us)
    if not first_known(connection, whole) and first_known(connection, under_way):
        return under_way
    return whole


def _due(config: Config) -> tuple[int, int, int]:
    """The time of the week at which reports are due: weekday (Monday is 0), hour, minute."""
    at = config.schedule.report
    return at.weekday, at.hour, at.minute
