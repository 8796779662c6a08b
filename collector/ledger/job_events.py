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


def take(
    connection: duckdb.DuckDBPyConnection,
    stage: Callable[[duckdb.DuckDBPyConnection], None] | None,
    bound: Mapping[str, Any],
) -> TakenEvents:
    """Take in what `stage` finds among the waiting lines; `bound` holds source, run_id and now_us.

    The first reading of an event stands; the same event with other content is a problem.
    """
    if stage is None:
        return NONE
    stage(connection)
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
