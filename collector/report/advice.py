"""The changes that would save most: each with its estimated saving, and what was counted for it.

The week's aborts (the temporary table `week_abort`) come in; up to three changes a currency go out, in the order
of what they save. No orphan is counted for two of them: what one change saves is gone before the next is chosen.
What saves an orphan is decided by the .sql files; `sentences` puts a change into words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from collector.ledger import dialect

PACKAGE = "collector.report"
CHANGES_MAX = 3
ABORTS_MIN = 3  # fewer are an anecdote
EXAMPLE_ABORTS_MIN = 5
SECOND_US = 1_000_000
WHOLE_ANSWER_US = 60 * SECOND_US  # longer than this, nobody should wait for a whole answer without a sign of life
# The limits that somebody would set, in seconds; beyond ten minutes a call is a job.
RUNGS_S = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 75, 90, 120, 150, 180, 240, 300, 420, 600)
_STEPS = ("timeout_answer", "timeout_route", "cancel_route", "retry_route", "change_offer")


@dataclass(frozen=True, slots=True)
class Change:
    """One change, and what was counted for it: `counted` of `counted_of`, by `kind`.

    timeout, stream, batch: aborted answers that had come by `target_us` (batch: by ten minutes) after their start, of
    all that came after the limit `deadline_us` (up to `deadline_high_us`, where callers have many); died: answers
    whose process was gone; cancel: aborts after which the backend ran on (`overrun_us` at the median), while for
    `other` it stopped in `other_counted` of `other_of`; retry: retries that were lost as well. `saved_nano` is of
    this week, over `aborts` of its aborts.
    """

    kind: str
    service: str
    provider: str
    model: str
    operation: str
    mode: str
    reason: str
    deadline_us: int | None
    deadline_high_us: int | None
    target_us: int | None
    counted: int
    counted_of: int
    overrun_us: int | None
    other: str
    other_counted: int | None
    other_of: int | None
    aborts: int
    saved_nano: int
    low_nano: int
    high_nano: int


def changes(
    connection: duckdb.DuckDBPyConnection, bound: Mapping[str, Any], currencies: Sequence[str]
) -> dict[str, tuple[Change, ...]]:
    """The best changes of each currency. Needs the temporary table `week_abort`."""
    asked = {
        **bound, "rungs_us": [rung * SECOND_US for rung in RUNGS_S], "whole_answer_us": WHOLE_ANSWER_US,
        "example_aborts_min": EXAMPLE_ABORTS_MIN, "aborts_min": ABORTS_MIN,
    }  # fmt: skip
    dialect.steps(connection, PACKAGE, _STEPS, asked)
    return {currency: tuple(_best(connection, {**asked, "currency": currency})) for currency in currencies}


def _best(connection: duckdb.DuckDBPyConnection, asked: Mapping[str, Any]) -> list[Change]:
    found: list[Change] = []
    while len(found) < CHANGES_MAX:
        rows = dialect.run(connection, PACKAGE, "change_best", asked)
        if not rows:
            break
        found.append(Change(*rows[0][1:]))
        dialect.run(connection, PACKAGE, "change_taken", {"change_no": rows[0][0]})
    return found
