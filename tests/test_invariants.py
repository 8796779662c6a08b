"""Every invariant bites: broken books are rolled back, said so, and survived.

The books are broken by hand, by tampering with what a run has drawn just before it is checked.
"""

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from collector import pipeline
from collector.problems import BrokenInvariantError
from tests.helpers import Desk, Row, buckets, counters, looking, problems, rows, verdicts

HOUR_MIN, DAY_MIN = 60, 1440

# Invariant -> statements that break it, and nothing that is checked before it.
TAMPER: dict[str, dict[str, str]] = {
    "bill_complete": {
        "too much": "UPDATE bucket_drawn SET billed_nano = billed_nano + 1",
        "one hour lost": "DELETE FROM bucket_drawn WHERE usage_kind = 'output'",
    },
    "identity": {
        "part too large": "UPDATE bucket_changed SET delivered_nano = delivered_nano + 1",
        "part lost": "UPDATE bucket_changed SET orphaned_nano = NULL",
    },
    "lost_within_cost": {
        "below nothing": "UPDATE verdict_changed SET orphaned_nano = -1, orphaned_low_nano = -1",
        "above the cost": """
            UPDATE verdict_changed SET orphaned_nano = cost_nano + 1, orphaned_high_nano = cost_nano + 1
        """,
        "below its bounds": "UPDATE verdict_changed SET orphaned_low_nano = orphaned_nano + 1",
        "above its bounds": "UPDATE verdict_changed SET orphaned_high_nano = orphaned_nano - 1",
        "avoidable": "UPDATE verdict_changed SET avoidable_nano = orphaned_nano + 1",
    },
    "one_bucket_one_row": {
        "twice": "INSERT INTO bucket_drawn SELECT * REPLACE (NULL AS billed_nano) FROM bucket_drawn",
    },
    "one_completion_one_attempt": {
        "two attempts": """
            INSERT INTO match_changed
            SELECT * REPLACE (attempt_no + 1000 AS attempt_no, false AS money_row) FROM match_changed
        """,
        "no money row": "UPDATE match_changed SET money_row = false",
        "two money rows": "INSERT INTO match_changed SELECT * FROM match_changed",
    },
    "one_retry_one_attempt": {
        "two attempts": "INSERT INTO retry_changed SELECT * FROM retry_changed",
    },
    "shares_within": {
        "below nothing": """
            UPDATE bucket_changed
            SET delivered_nano = delivered_nano - billed_nano - 1,
                unattributed_nano = unattributed_nano + billed_nano + 1
        """,
    },
}
CASES = [
    pytest.param(name, text, id=f"{name}-{how.replace(' ', '-')}")
    for name, ways in TAMPER.items()
    for how, text in ways.items()
]


@dataclass(frozen=True)
class Shown:
    """What a ledger shows, but for how its runs went."""

    verdicts: list[Row]
    buckets: list[Row]
    spend: dict[tuple[str, ...], int]
    problems: Counter[tuple[str, str]]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk with one lost call, billed, and a run over it."""
    directory = tmp_path_factory.mktemp("first")
    desk = Desk(directory)
    _lost(desk, "c1", 0)
    desk.run(6 * HOUR_MIN)
    return directory


@pytest.fixture
def desk(first: Path, tmp_path: Path) -> Desk:
    """That desk, to be tampered with."""
    shutil.copytree(first, tmp_path, dirs_exist_ok=True)
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def whole(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """What a ledger shows whose books were never broken."""
    directory = tmp_path_factory.mktemp("whole")
    shutil.copytree(first, directory, dirs_exist_ok=True)
    desk = Desk(directory)
    _lost(desk, "c2", 2)
    desk.run(9 * HOUR_MIN)
    return _shown(desk)


@pytest.fixture
def tamper(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let a statement be executed in every run, after all is drawn and before it is checked."""
    real: Any = pipeline.check_invariants

    def _tamper(statement: str) -> None:
        def check(connection: Any, values: Any) -> None:
            connection.execute(statement)
            real(connection, values)

        monkeypatch.setattr(pipeline, "check_invariants", check)

    return _tamper


def _lost(desk: Desk, call_id: str, hour: int) -> None:
    minute = hour * HOUR_MIN
    desk.started(call_id, minute)
    desk.ended(call_id, minute + 1)
    desk.started(f"{call_id}-again", minute + 2, retry_of=call_id)
    desk.ended(f"{call_id}-again", minute + 3, outcome="delivered", reason=None)
    desk.completion(call_id, minute + 2)
    desk.completion(f"{call_id}-again", minute + 3)
    desk.bill("Input", hour, 2000, "0.0006")
    desk.bill("Output", hour, 4000, "0.01")


def _shown(desk: Desk) -> Shown:
    own = ("run", "source_records", "invariant")
    with looking(desk.config) as ledger:
        spend = {key: value for key, value in counters(ledger).items() if not key[0].startswith(own)}
        return Shown(verdicts(ledger), buckets(ledger), spend, problems(ledger))


def test_every_invariant_is_broken_here() -> None:
    """No invariant is without a case that breaks it."""
    assert set(TAMPER) == set(pipeline.invariant_names())


@pytest.mark.parametrize(("name", "statement"), CASES)
def test_broken_books_are_rolled_back(
    desk: Desk,
    tamper: Callable[[str], None],
    whole: Shown,
    monkeypatch: pytest.MonkeyPatch,
    *,
    name: str,
    statement: str,
) -> None:
    """The run fails and says which; figures, counters and lines read stay; the next run recovers."""
    before = _shown(desk)
    _lost(desk, "c2", 2)
    tamper(statement)
    with pytest.raises(BrokenInvariantError, match=f"invariant {name} is broken by .* last good figures stand"):
        desk.run(9 * HOUR_MIN)
    assert _shown(desk) == before
    assert {row["call_id"] for row in rows(desk.config, "client_call")} == {
        "c1",
        "c1-again",
        "c2",
        "c2-again",
    }
    assert [row["outcome"] for row in rows(desk.config, "run")] == ["ok", "invariant"]
    found = counters(desk.config)
    assert (
        found["runs_total", "ok"],
        found["runs_total", "invariant"],
        found["invariant_violations_total",],
    ) == (1, 1, 1)

    monkeypatch.undo()
    desk.run(9 * HOUR_MIN)
    assert _shown(desk) == whole
    assert [row["outcome"] for row in rows(desk.config, "run")] == ["ok", "invariant", "ok"]


def test_broken_twice_is_counted_twice(desk: Desk, tamper: Callable[[str], None]) -> None:
    """Each broken run is on record; what the last good one knew is still shown after the second."""
    before = _shown(desk)
    _lost(desk, "c2", 2)
    tamper(TAMPER["identity"]["part too large"])
    for hour in (9, 10):
        with pytest.raises(BrokenInvariantError):
            desk.run(hour * HOUR_MIN)
    assert _shown(desk) == before
    assert counters(desk.config)["invariant_violations_total",] == 2


def test_any_error_while_deriving_rolls_back(desk: Desk, tamper: Callable[[str], None]) -> None:
    """An error of another kind leaves the figures alone as well, and no half of a run behind."""
    before = _shown(desk)
    _lost(desk, "c2", 2)
    tamper("SELECT error('the roof is on fire')")
    with pytest.raises(Exception, match="the roof is on fire"):
        desk.run(9 * HOUR_MIN)
    assert _shown(desk) == before
    assert [row["outcome"] for row in rows(desk.config, "run")] == ["ok"]
