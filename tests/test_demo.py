"""The demo: its truth, what is found beside it, and the command from end to end."""

import filecmp
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from collector.config import load
from collector.demo import cast, compare, demo, run, world
from collector.demo.compare import Found
from collector.demo.story import Books, story
from collector.demo.truth import Loss
from collector.pipeline import run_once
from collector.problems import UsageError
from collector.records import LedgerSummary

NOW_US = 1_795_373_000_000_000  # 2026-11-22, some minutes past a full hour
ROUNDING_NANO = 2  # a share is rounded once for each kind of token, and the truth once
FOUND_OFF_MAX = 0.01  # of all money: hours that are not billed, streams that nobody counted, lost logs


class Ran:
    """One demo day that went through the pipeline."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.day = world.make(directory, end_us=world.day_end_us(NOW_US), listen="127.0.0.1:9747")
        config = load(directory / "orphaned.yaml")
        self.summary: LedgerSummary = run_once(config, now_us=NOW_US).ledger
        self.found: list[Found]
        self.books: Books
        self.found, self.books = run.ask(config)

    def truth(self) -> dict[str, Loss]:
        """The generator's losses by completion."""
        return {loss.completion_id: loss for loss in self.day.losses}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The demo's day after one run."""
    return Ran(tmp_path_factory.mktemp("demo"))


def test_the_same_end_gives_the_same_bytes(ran: Ran, tmp_path: Path) -> None:
    """A day is made of its seed and its end alone."""
    day = world.make(tmp_path, end_us=ran.day.end_us, listen="127.0.0.1:9747")
    names = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
    assert day == ran.day
    assert len(names) > 10
    assert filecmp.cmpfiles(tmp_path, ran.directory, names, shallow=False) == (names, [], [])


def test_another_end_is_the_same_day_at_another_time(ran: Ran, tmp_path: Path) -> None:
    """The truth does not depend on the clock."""
    later = world.make(tmp_path, end_us=ran.day.end_us + 31 * cast.HOUR_US, listen="127.0.0.1:9747")
    assert later.settled == ran.day.settled
    assert [loss.lost_nano for loss in later.losses] == [loss.lost_nano for loss in ran.day.losses]


def test_counted_and_billed_is_exact(ran: Ran) -> None:
    """Where tokens were counted and the bill is settled, each amount is the true one, to the rounding."""
    truth = ran.truth()
    judged = [
        (one, truth[one.completion_id])
        for one in ran.found
        if one.completion_id is not None and one.basis == "billed" and one.share_evidence in ("tokens", "nothing")
    ]
    assert len(judged) > 1_500
    wrong = [
        (one, loss)
        for one, loss in judged
        if one.verdict != loss.verdict or abs(one.lost_nano - loss.lost_nano) > ROUNDING_NANO
    ]
    assert not wrong


def test_every_abort_is_found(ran: Ran) -> None:
    """As many aborts as there are, and the right one by its completion wherever a log shows it."""
    seen = {loss.completion_id for loss in ran.day.losses if loss.seen}
    assert len(ran.found) == len(ran.day.losses)
    assert {one.completion_id for one in ran.found if one.evidence == "exact"} == seen


def test_the_whole_is_close_to_the_truth(ran: Ran) -> None:
    """All money found is within a percent of the truth, and the truth lies within the bounds."""
    whole = compare.total(ran.found, ran.day.losses)
    assert abs(whole.difference_nano) <= FOUND_OFF_MAX * whole.true_nano
    window = next(one for one in ran.summary.windows if one.window == "7d")
    assert window.best_nano == whole.found_nano
    assert window.low_nano <= whole.true_nano <= window.high_nano


def test_every_difference_has_a_cause(ran: Ran) -> None:
    """The causes add up to the difference, and what should be exact is."""
    causes = compare.causes(ran.found, ran.day.losses)
    whole = compare.total(ran.found, ran.day.losses)
    assert sum(line.difference_nano for line in causes.values()) == whole.difference_nano
    assert abs(causes[compare.EXACT].difference_nano) <= ROUNDING_NANO * causes[compare.EXACT].aborts


def test_the_bill_is_split_as_in_truth(ran: Ran) -> None:
    """The identity holds, what was used was billed, and what no log shows is known to the nano-unit."""
    parts, true = ran.books.parts(), ran.day.settled
    assert parts.total() == ran.books.billed == true.total()
    assert parts.unattributed == true.unattributed
    assert abs(parts.orphaned - true.orphaned) <= FOUND_OFF_MAX * true.orphaned


def test_the_story_tells_the_identity(ran: Ran) -> None:
    """The printed parts of the bill add up to what is printed as billed, in both columns."""
    text = "\n".join(story(ran.day, ran.summary, ran.found, ran.books))
    assert "adds up to the last digit" in text
    billed = re.search(r"^  billed +([\d.]+) +([\d.]+)", text, re.MULTILINE)
    parts = re.findall(r"^  [=+] [a-z ]+? +([\d.]+) +([\d.]+)$", text, re.MULTILINE)
    assert billed is not None
    assert len(parts) == 5
    for column in (0, 1):
        nano = [int(part[column].replace(".", "")) for part in parts]
        assert sum(nano) == int(billed[column + 1].replace(".", ""))


def test_status_499_alone_finds_little(ran: Ran) -> None:
    """Most aborts and most of the money have no status 499 in any proxy's log."""
    _, aborts, nano = compare.by_nginx(ran.found)[0]
    assert 0 < aborts < len(ran.found) / 4
    assert 0 < nano < compare.total(ran.found, ran.day.losses).found_nano / 10


def test_the_command_ends_by_itself(tmp_path: Path) -> None:
    """Without serving, the demo prints its story and leaves its files where it was told to."""
    script = "import sys; from pathlib import Path; from collector.demo import demo; "
    done = subprocess.run(
        [sys.executable, "-c", f"{script}sys.exit(demo(keep=Path({str(tmp_path / 'kept')!r}), serve=False))"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Found: " in done.stdout
    assert "explain c-" in done.stdout
    assert (tmp_path / "kept" / "orphaned.yaml").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A directory that holds something is refused."""
    (tmp_path / "mine").touch()
    with pytest.raises(UsageError, match="is not empty"):
        demo(keep=tmp_path, serve=False)


def test_a_taken_port_gives_way() -> None:
    """Where the port is taken, a free one of the same host is chosen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        host, chosen = run.free_address(f"127.0.0.1:{port}").split(":")
    assert host == "127.0.0.1"
    assert 0 < int(chosen) != port
