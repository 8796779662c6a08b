"""Files read ahead: whose chunk is whose, whose error, and that no more is read than is asked for soon."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from collector.problems import OperatingError
from collector.sources.ahead import CHUNKS_MAX, Ahead
from collector.sources.files import FileCursor, LineChunk
from collector.sources.lines import LINES
from tests.helpers import Desk, rows

CHUNK = LineChunk(1, "a.jsonl", LINES.empty_table(), 0, 0, (), FileCursor(1, "a.jsonl", "a.jsonl", 1, 1), 0)


def chunks(*numbers: int, then: Exception | None = None) -> Iterator[LineChunk]:
    """Chunks of files with these numbers, and an error after them."""
    for number in numbers:
        yield replace(CHUNK, file_id=number)
    if then:
        raise then


def ids(found: Iterator[LineChunk]) -> list[int]:
    """The numbers of the files that they come from."""
    return [chunk.file_id for chunk in found]


def test_each_reading_has_its_chunks() -> None:
    """Readings that hold nothing among them."""
    with Ahead([("a", chunks(1, 2)), ("b", chunks()), ("c", chunks(3))]) as files:
        assert [ids(files.of(name)) for name in "abc"] == [[1, 2], [], [3]]


@pytest.mark.parametrize("error", [OSError("gone"), OperatingError("gone")])
def test_an_error_belongs_to_its_reading(error: Exception) -> None:
    """What came before it is there, and the next reading is whole."""
    with Ahead([("a", chunks(1, then=error)), ("b", chunks(2, 3))]) as files:
        of_a = files.of("a")
        assert next(of_a).file_id == 1
        with pytest.raises(type(error), match="gone"):
            next(of_a)
        assert ids(files.of("b")) == [2, 3]


def test_what_was_given_up_is_skipped() -> None:
    """A caller that leaves a reading in its middle does not get the rest of it as the next."""
    with Ahead([("a", chunks(*range(1, 30))), ("b", chunks(30))]) as files:
        assert next(files.of("a")).file_id == 1
        assert ids(files.of("b")) == [30]


def test_a_defect_is_not_hidden() -> None:
    """An error that no reading may raise comes out where the chunks are asked for."""
    with Ahead([("a", chunks(then=ZeroDivisionError()))]) as files, pytest.raises(ZeroDivisionError):
        ids(files.of("a"))


def test_no_more_is_read_than_is_kept() -> None:
    """Nobody asks: the thread stops after a few chunks, and at the end it is gone."""
    made: list[int] = []
    enough = threading.Event()

    def endless() -> Iterator[LineChunk]:
        while True:
            made.append(len(made))
            if len(made) == CHUNKS_MAX:
                enough.set()
            yield CHUNK

    with Ahead([("a", endless())]) as files:
        assert enough.wait(10)
        next(files.of("a"))
    assert len(made) <= CHUNKS_MAX + 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reader")]


def test_files_of_all_sources_have_numbers_of_their_own(tmp_path: Path) -> None:
    """Read ahead or not: what a record says of its file is true."""
    desk = Desk(tmp_path)
    for run in range(2):
        desk.started(f"c{run}", run)
        desk.completion(f"c{run}", run + 1)
        desk.bill("Input", 0, 1000 + run, "0.0006")
        desk.run(100 + run)
    held = [{row["file_id"] for row in rows(desk.config, name)} for name in ("client_call", "backend_completion")]
    assert held[0].isdisjoint(held[1])
    assert len(held[0]) == len(held[1]) == 1
    assert len({row["file_id"] for row in rows(desk.config, "source_file")}) == len(rows(desk.config, "source_file"))
