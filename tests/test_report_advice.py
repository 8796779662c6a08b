"""What the report advises: in hand-made weeks where the best change was planted, it is the first one told."""

from pathlib import Path
from typing import Any

import pytest

from collector.ledger import dialect
from collector.pipeline import reading
from collector.report import advice, figures
from collector.report.advice import Change
from tests.helpers import Desk
from tests.reports import DUE, NEXT_MONDAY_MINUTE, WEEK, call

UNIT_NANO = 5_300_000  # what one of the desk's completions costs: 1000 tokens in at 0.30, 2000 out at 2.50 per million


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty desk."""
    return Desk(tmp_path)


def advised(desk: Desk) -> tuple[Change, ...]:
    """The changes told after everything was read."""
    desk.run(NEXT_MONDAY_MINUTE + 60)
    with reading(desk.config) as (connection, values):
        found = figures.draw(connection, values, WEEK, DUE)
    return found.monies[0].changes


def timeouts(
    desk: Desk, service: str, count: int, *, waits: float, works: float, name: str = "t", first: int = 0
) -> None:
    """So many calls of a service that ran into a limit before their answer came, five minutes apart."""
    for number in range(first, first + count):
        call(desk, f"{service}-{name}{number}", 5 * number + 1, waits=waits, works=works, service=service)


def test_a_short_timeout_is_to_be_raised(desk: Desk) -> None:
    """Nine of ten answers came within 30 s of the start: that is the limit told, with what was counted."""
    timeouts(desk, "search", 10, waits=10, works=27)
    timeouts(desk, "search", 1, waits=10, works=200, first=20)
    (change,) = advised(desk)
    assert (change.kind, change.service, change.mode) == ("timeout", "search", "unary")
    assert (change.deadline_us, change.target_us) == (10_000_000, 30_000_000)
    assert (change.counted, change.counted_of, change.aborts) == (10, 11, 10)
    assert change.saved_nano == change.low_nano == change.high_nano == 10 * UNIT_NANO


def test_two_limits_of_one_service_are_two_changes(desk: Desk) -> None:
    """Each limit has its own answers and its own target; the dearer one comes first."""
    timeouts(desk, "search", 3, waits=5, works=9)
    timeouts(desk, "search", 4, waits=20, works=38, name="u", first=10)
    first, second = advised(desk)
    assert (first.deadline_us, first.target_us, first.aborts) == (20_000_000, 40_000_000, 4)
    assert (second.deadline_us, second.target_us, second.aborts) == (5_000_000, 10_000_000, 3)


def test_spread_limits_are_one_change(desk: Desk) -> None:
    """Where no limit of a route stands out, its callers' limits are raised together, told by lowest and highest."""
    for number, waits in enumerate((4, 5, 6, 7, 8, 9)):
        timeouts(desk, "search", 1, waits=waits, works=14, first=number)
    (change,) = advised(desk)
    assert (change.deadline_us, change.deadline_high_us, change.target_us) == (4_000_000, 9_000_000, 15_000_000)
    assert (change.counted, change.counted_of, change.aborts) == (6, 6, 6)


def test_a_long_whole_answer_is_to_stream(desk: Desk) -> None:
    """Nobody is told to wait two minutes for a whole answer; a stream that ran into its limit is told to wait."""
    timeouts(desk, "agent", 4, waits=60, works=110)
    for number in range(3):
        call(desk, f"s{number}", 5 * number + 200, waits=60, works=110, service="chat", stream=True)
    first, second = advised(desk)
    assert (first.kind, first.service, first.target_us) == ("stream", "agent", 120_000_000)
    assert (second.kind, second.service, second.target_us) == ("timeout", "chat", 120_000_000)


def test_what_takes_longer_than_ten_minutes_is_a_job(desk: Desk) -> None:
    """Where no bearable limit would have been enough, a batch is told, with how few had come in time."""
    timeouts(desk, "nightly", 3, waits=60, works=900)
    timeouts(desk, "nightly", 1, waits=60, works=300, first=30)
    (change,) = advised(desk)
    assert (change.kind, change.counted, change.counted_of, change.aborts) == ("batch", 1, 4, 4)
    assert change.saved_nano == 4 * UNIT_NANO


def test_processes_that_die_want_a_job(desk: Desk) -> None:
    """Whole answers whose caller's process vanished are told as a batch; one stream that vanished is not."""
    for number in range(4):
        desk.started(f"v{number}", 5 * number, service="nightly", stream=number == 3)
        desk.completion(f"v{number}", 5 * number + 1, seconds=40, stream=number == 3)
    (change,) = advised(desk)
    assert (change.kind, change.service, change.counted, change.saved_nano) == ("died", "nightly", 3, 3 * UNIT_NANO)


def leave(desk: Desk, service: str, count: int, *, stopped: int, first: int = 0) -> None:
    """Streams of a service that are cancelled after 10 s of 30; the backend stops for the first `stopped` of them."""
    for number in range(first, first + count):
        cut = number - first < stopped
        call(
            desk, f"{service}{number}", 5 * number + 1, waits=10, works=10.2 if cut else 30, service=service,
            stream=True,
            ended={"reason": "cancelled", "bytes_received": 10, "output_tokens_received": 500},
            completion={"status": "cancelled" if cut else "ok"},
        )  # fmt: skip


def test_cancellation_is_to_be_passed_on_where_it_is_seen_to_work(desk: Desk) -> None:
    """One service's backend stops when it is left, another's runs on: what it generated afterwards is the saving."""
    leave(desk, "search", 6, stopped=6)
    leave(desk, "chat", 8, stopped=0, first=10)
    (change,) = advised(desk)
    assert (change.kind, change.service, change.other) == ("cancel", "chat", "search")
    assert (change.counted, change.counted_of, change.other_counted, change.other_of) == (8, 8, 6, 6)
    assert change.overrun_us == 20_000_000
    assert 0 < change.saved_nano < 8 * UNIT_NANO
    with reading(desk.config) as (connection, values):
        now = figures.draw(connection, values, WEEK, DUE).monies[0].now
    assert change.saved_nano <= now.avoidable_nano


def test_no_cancel_is_advised_where_none_was_ever_honoured(desk: Desk) -> None:
    """A backend that was never seen to stop is not said to stop when asked."""
    leave(desk, "search", 6, stopped=2)
    leave(desk, "chat", 8, stopped=0, first=10)
    assert advised(desk) == ()


def test_retries_that_fail_again_are_to_be_stopped(desk: Desk) -> None:
    """Retries that run into the same wall are lost as well; those that brought an answer are not counted so."""
    for number in range(4):
        minute = 20 * number + 1
        for attempt in range(3):  # cancelled by hand, so that no limit explains it
            call(
                desk, f"r{number}-{attempt}", minute + 3 * attempt, waits=60, works=100, service="search",
                ended={"reason": "disconnect"}, **({"retry_of": f"r{number}-{attempt - 1}"} if attempt else {}),
            )  # fmt: skip
    (change,) = advised(desk)
    assert (change.kind, change.service, change.reason) == ("retry", "search", "disconnect")
    assert (change.counted, change.counted_of, change.aborts) == (8, 8, 8)
    assert change.saved_nano == 8 * UNIT_NANO


def test_no_orphan_is_saved_twice(desk: Desk) -> None:
    """Retries that time out could be saved by a longer limit or by not retrying: one of the two has them."""
    for number in range(4):
        call(desk, f"a{number}", 20 * number + 1, waits=10, works=18, service="search")
        call(desk, f"b{number}", 20 * number + 2, waits=10, works=18, service="search", retry_of=f"a{number}")
    (change,) = advised(desk)
    assert (change.kind, change.aborts, change.saved_nano) == ("timeout", 8, 8 * UNIT_NANO)


def test_without_the_guard_orphans_are_saved_twice(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard bites: where a chosen change leaves its orphans behind, they are counted again."""
    timeouts(desk, "search", 4, waits=10, works=18)
    (change,) = advised(desk)
    real = dialect.run

    def forgetful(connection: Any, package: str, name: str, values: Any = None) -> list[tuple[Any, ...]]:
        return [] if name == "change_taken" else real(connection, package, name, values)

    monkeypatch.setattr(dialect, "run", forgetful)
    with reading(desk.config) as (connection, values):
        again = figures.draw(connection, values, WEEK, DUE).monies[0]
    assert again.changes == (change,) * advice.CHANGES_MAX
    assert sum(one.saved_nano for one in again.changes) > again.now.best_nano


def test_one_or_two_aborts_are_no_pattern(desk: Desk) -> None:
    """Below three aborts of a route nothing is advised."""
    timeouts(desk, "search", advice.ABORTS_MIN - 1, waits=10, works=27)
    assert advised(desk) == ()


def test_the_dearest_three_are_told(desk: Desk) -> None:
    """Four routes with a change each: the three that save most, in their order."""
    for place, (service, count) in enumerate({"a": 3, "b": 6, "c": 5, "d": 4}.items()):
        timeouts(desk, service, count, waits=10, works=27, first=10 * place)
    assert [(one.service, one.aborts) for one in advised(desk)] == [("b", 6), ("c", 5), ("d", 4)]
