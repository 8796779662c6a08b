"""Taking in the lines that tell of jobs: batches and long-running operations, which no call and no completion is.

In: the lines of a batch that are no record of their source's kind (`line_batch`), and the source's mapping, a view
called `job_parsed`. Out: how many became events, repeated one, or were wrong. Jobs are few, so each line is compared
with all that is known of its job, however long ago that was.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from collector.ledger import dialect

PACKAGE = "collector.ledger"
Stage = Callable[[duckdb.DuckDBPyConnection], None]


@dataclass(frozen=True, slots=True)
class TakenEvents:
    """What became of the lines that tell of jobs."""

    new: int
    duplicate: int
    problem: int

    @property
    def lines(self) -> int:
        """All of them."""
        return self.new + self.duplicate + self.problem


NONE = TakenEvents(0, 0, 0)


@dataclass(frozen=True, slots=True)
class WithJobs:
    """The mapping of a source whose lines may tell of jobs too: called, it makes its records as any mapping does.

    `about_jobs` makes `job_parsed` of the same lines.
    """

    records: Stage
    about_jobs: Stage

    def __call__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make `parsed`."""
        self.records(connection)


def take(connection: duckdb.DuckDBPyConnection, stage: Stage, bound: Mapping[str, Any]) -> TakenEvents:
    """Take in what tells of jobs among the waiting lines; `bound` holds source, run_id and now_us.

    The first reading of an event stands; the same event with other content is a problem.
    """
    if not isinstance(stage, WithJobs):
        return NONE
    stage.about_jobs(connection)
    if not dialect.count(connection, PACKAGE, "job_event_staged"):
        return NONE
    invalid = dialect.count(connection, PACKAGE, "job_event_invalid", bound)
    conflicting = dialect.count(connection, PACKAGE, "job_event_conflicting", bound)
    repeated = dialect.count(connection, PACKAGE, "job_event_repeated")
    new = dialect.count(connection, PACKAGE, "job_event_put")
    return TakenEvents(new, repeated - conflicting, invalid + conflicting)


def any_known(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a line about a job was ever read: without one, no step about jobs need be taken."""
    return bool(dialect.run(connection, PACKAGE, "job_event_any"))
