"""Files that grow, rotate, are compressed and break: every good line once, with its right place."""

import bz2
import gzip
import json
import lzma
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import count as numbered_from
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector.problems import Problem
from collector.sources import listing
from collector.sources.files import FileCursor, LineChunk, read_lines, sizes
from collector.sources.lines import LineCutter, Place, packing

HOUR_US = 3_600_000_000


def whole(text: str) -> bool:
    """Whether `text` ends in a brace: our idea of a line that parses."""
    return text.rstrip().endswith("}")


@dataclass
class Reader:
    """A source's ledger in small: it keeps the cursors and all that was delivered."""

    root: Path
    patterns: tuple[str, ...] = ("*.jsonl",)
    cursors: dict[int, FileCursor] = field(default_factory=dict)
    rows: list[tuple[int, int, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    lines: int = 0
    blank: int = 0
    options: dict[str, int] = field(default_factory=dict)

    def look(self, hours_later: int = 0, **options: int) -> list[LineChunk]:
        """One look, `hours_later` than the files' last change; all chunks are committed."""
        return [self.commit(chunk) for chunk in self.chunks(hours_later, **options)]

    def chunks(self, hours_later: int = 0, **options: int) -> Iterator[LineChunk]:
        """The chunks of one look, uncommitted."""
        newest_ns = max((p.stat().st_mtime_ns for p in self.root.rglob("*") if p.is_file()), default=0)
        # The ledger keeps cursors as JSON, so every look goes through it.
        cursors = [FileCursor.from_json(json.loads(json.dumps(c.to_json()))) for c in self.cursors.values()]
        return read_lines(
            "app", self.patterns, self.root, cursors,
            now_us=newest_ns // 1000 + hours_later * HOUR_US, file_ids=numbered_from(max(self.cursors, default=0) + 1),
            parses=whole, **{**self.options, **options},  # type: ignore[arg-type]
        )  # fmt: skip

    def commit(self, chunk: LineChunk) -> LineChunk:
        """Keep what one chunk brought, with its cursor."""
        numbers, texts = chunk.table.column("line_no").to_pylist(), chunk.table.column("line").to_pylist()
        self.rows += [(chunk.file_id, no, text) for no, text in zip(numbers, texts, strict=True)]
        self.problems += chunk.problems
        self.cursors[chunk.file_id] = chunk.cursor
        self.lines, self.blank = self.lines + chunk.lines, self.blank + chunk.blank
        bad = sum(problem.kind in ("not text", "line too long") for problem in chunk.problems)
        assert chunk.lines == chunk.table.num_rows + chunk.blank + bad
        return chunk

    @property
    def texts(self) -> list[str]:
        """The lines delivered, without their newlines."""
        return [text.rstrip("\r\n") for _, _, text in self.rows]

    @property
    def numbered(self) -> list[tuple[int, str]]:
        """The lines delivered with their numbers."""
        return [(no, text.rstrip("\r\n")) for _, no, text in self.rows]

    @property
    def complaints(self) -> list[tuple[str, str]]:
        """Kind and place of all problems."""
        return [(problem.kind, problem.place) for problem in self.problems]


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """A reader of all *.jsonl of an empty directory."""
    return Reader(tmp_path)


def append(path: Path, text: str | bytes) -> None:
    """Write at the end of `path`."""
    with path.open("ab") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


# What is in a file


def test_lines_come_numbered_from_one(reader: Reader) -> None:
    """Every line comes out with its number, its newline kept, and blank ones are only counted."""
    append(reader.root / "a.jsonl", "{1}\n\n{2}\r\n  \t\r\n{3}\n")
    (chunk,) = reader.look()
    assert reader.rows == [(1, 1, "{1}\n"), (1, 3, "{2}\r\n"), (1, 5, "{3}\n")]
    assert (chunk.lines, chunk.blank, chunk.bytes_read) == (5, 2, 19)
    assert chunk.table.schema.field("line").type == pa.string()


def test_nothing_new_yields_nothing(reader: Reader) -> None:
    """A second look at the same files yields no chunk at all, whether or not a tail waits."""
    append(reader.root / "a.jsonl", "{1}\n")
    append(reader.root / "b.jsonl", "{1}\n{2")
    assert len(reader.look()) == 2
    assert reader.look() == []


def test_empty_file_is_nothing(reader: Reader) -> None:
    """An empty file gives no chunk, no cursor and no problem, and is read once it has content."""
    (reader.root / "a.jsonl").touch()
    assert reader.look() == []
    append(reader.root / "a.jsonl", "{1}\n")
    reader.look()
    assert reader.numbered == [(1, "{1}")]


def test_growth_is_read_from_the_place_reached(reader: Reader) -> None:
    """What is appended comes next, numbered on, and nothing comes twice."""
    for text in ("{1}\n{2}\n", "{3}\n", "{4}\n{5}\n"):
        append(reader.root / "a.jsonl", text)
        reader.look()
    assert reader.numbered == [(n, f"{{{n}}}") for n in range(1, 6)]
    assert len(reader.cursors) == 1


def test_head_hash_extends_to_a_kibibyte(reader: Reader) -> None:
    """The hash that tells a file covers what was there first and later its whole first KiB."""
    append(reader.root / "a.jsonl", "{1}\n")
    reader.look()
    assert reader.cursors[1].head_bytes == 4
    append(reader.root / "a.jsonl", "{22222222}\n" * 200)
    reader.look()
    assert reader.cursors[1].head_bytes == 1024
    assert len(reader.rows) == 201


def test_bytes_that_are_no_text_are_their_own_problem(reader: Reader) -> None:
    """Exactly the lines with invalid UTF-8 or a NUL are problems; their neighbours and real UTF-8 are not."""
    append(reader.root / "a.jsonl", "{ä}\n".encode() + b"{\xff}\n{2}\n{\0}\n" + "{€}\n".encode())
    reader.look()
    assert reader.numbered == [(1, "{ä}"), (3, "{2}"), (5, "{€}")]
    assert reader.complaints == [("not text", "a.jsonl:2"), ("not text", "a.jsonl:4")]
    assert [p.excerpt for p in reader.problems] == ["{\ufffd}", "{\ufffd}"]


def test_character_split_over_two_lines_is_two_problems(reader: Reader) -> None:
    """Bytes that are UTF-8 only across a newline do not count as text."""
    append(reader.root / "a.jsonl", b"{1}\n\xc3\n\xa4\n{4}\n")
    reader.look()
    assert reader.numbered == [(1, "{1}"), (4, "{4}")]
    assert reader.complaints == [("not text", "a.jsonl:2"), ("not text", "a.jsonl:3")]


def test_long_line_is_a_problem_and_the_rest_is_read(reader: Reader) -> None:
    """A line over the limit is one problem with an excerpt; one at the limit and the next ones are lines."""
    reader.options = {"line_bytes_max": 50}
    append(reader.root / "a.jsonl", "{" + "x" * 48 + "}\n{" + "y" * 49 + "}\n{3}\n")
    reader.look()
    assert [no for no, _ in reader.numbered] == [1, 3]
    assert reader.complaints == [("line too long", "a.jsonl:2")]
    assert reader.problems[0].excerpt.startswith("{yyy")


def test_huge_line_is_not_held(reader: Reader) -> None:
    """A line of 60 MB passes through in chunks, none of which holds more than a piece of it."""
    with (reader.root / "a.jsonl").open("wb") as file:
        file.write(b"{1}\n{")
        for _ in range(60):
            file.write(b"x" * 1_000_000)
        file.write(b"}\n{3}\n")
    held_before = pa.default_memory_pool().max_memory()
    reader.look(chunk_bytes=4 << 20)
    assert pa.default_memory_pool().max_memory() - held_before < 20 << 20
    assert reader.numbered == [(1, "{1}"), (3, "{3}")]
    assert reader.complaints == [("line too long", "a.jsonl:2")]


def test_long_line_that_is_still_being_written(reader: Reader) -> None:
    """A line over the limit is reported before it ends, once, and what follows of it is thrown away."""
    reader.options = {"line_bytes_max": 10}
    for text in ("{1}\n" + "x" * 20, "y" * 5, "z}\n{3}\n"):
        append(reader.root / "a.jsonl", text)
        reader.look()
    assert reader.numbered == [(1, "{1}"), (3, "{3}")]
    assert reader.complaints == [("line too long", "a.jsonl:2")]


def test_byte_order_mark_is_skipped(reader: Reader) -> None:
    """A UTF-8 mark at the start is no part of the first line, even if it arrives in halves."""
    for text in (b"\xef\xbb", b"\xbf{1}", b"\n{2}\n"):
        append(reader.root / "a.jsonl", text)
        reader.look()
    assert reader.numbered == [(1, "{1}"), (2, "{2}")]
    assert reader.problems == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_utf16_is_one_clear_problem(reader: Reader, encoding: str) -> None:
    """A file with a UTF-16 or UTF-32 mark is one problem, not one a line, also after it has grown."""
    mark = "\ufeff" if encoding.endswith("be") else ""
    append(reader.root / "a.jsonl", (mark + "{1}\n{2}\n").encode(encoding))
    reader.look()
    append(reader.root / "a.jsonl", "{3}\n".encode(encoding))
    reader.look()
    assert reader.rows == []
    assert reader.complaints == [("unreadable file", "a.jsonl")]
    assert "UTF-16" in reader.problems[0].message


# The tail


def test_tail_that_parses_is_taken_at_once(reader: Reader) -> None:
    """A whole last line needs no newline; the newline that comes later is no blank line."""
    append(reader.root / "a.jsonl", "{1}\n{2}")
    reader.look()
    assert reader.numbered == [(1, "{1}"), (2, "{2}")]
    append(reader.root / "a.jsonl", "\r\n{3}\n")
    reader.look()
    assert reader.numbered[2:] == [(3, "{3}")]
    assert (reader.lines, reader.blank) == (3, 0)


def test_more_on_a_line_that_was_taken_is_another_unit(reader: Reader) -> None:
    """Text behind a tail that was taken comes as a row of its own with the same line number."""
    append(reader.root / "a.jsonl", "{1}")
    reader.look()
    append(reader.root / "a.jsonl", "{1b}\n{2}\n")
    reader.look()
    assert reader.numbered == [(1, "{1}"), (1, "{1b}"), (2, "{2}")]


def test_unfinished_tail_waits(reader: Reader) -> None:
    """A tail that does not parse is neither line nor problem until it is finished."""
    append(reader.root / "a.jsonl", "{1}\n{2")
    reader.look()
    assert (reader.numbered, reader.problems, reader.cursors[1].tail) == ([(1, "{1}")], [], "{2")
    append(reader.root / "a.jsonl", "2}\n")
    reader.look()
    assert (reader.numbered[1:], reader.problems) == ([(2, "{22}")], [])
    assert reader.cursors[1].tail == ""


def test_unfinished_tail_is_a_problem_after_an_hour_once(reader: Reader) -> None:
    """An hour later the tail is a problem, once; a file that grows after all still gives the whole line."""
    append(reader.root / "a.jsonl", "{1}\n{2")
    reader.look()
    for _ in range(3):
        reader.look(hours_later=2)
    assert reader.complaints == [("unfinished line", "a.jsonl:2")]
    assert reader.problems[0].excerpt == "{2"
    append(reader.root / "a.jsonl", "2}\n{3")
    reader.look(hours_later=2)
    assert reader.numbered == [(1, "{1}"), (2, "{22}")]
    assert reader.complaints[1:] == [("unfinished line", "a.jsonl:3")]


def test_unfinished_tail_of_a_file_that_is_gone(reader: Reader) -> None:
    """When the file is deleted, the tail that waited is a problem, once."""
    append(reader.root / "a.jsonl", "{1}\n{2")
    reader.look()
    (reader.root / "a.jsonl").unlink()
    reader.look()
    assert reader.look() == []
    assert reader.complaints == [("unfinished line", "a.jsonl:2")]


def test_tail_cut_inside_a_character_waits(reader: Reader) -> None:
    """Half a character at the end is not yet a problem."""
    raw = "{ä}\n".encode()
    for part in (raw[:2], raw[2:]):
        append(reader.root / "a.jsonl", part)
        reader.look()
    assert (reader.numbered, reader.problems) == ([(1, "{ä}")], [])


def test_blank_tail_is_nothing(reader: Reader) -> None:
    """White space without a newline is no unfinished line, however old it gets."""
    append(reader.root / "a.jsonl", "{1}\n  ")
    reader.look(hours_later=9)
    assert (reader.numbered, reader.problems) == ([(1, "{1}")], [])


# Rotation


def test_renamed_file_is_read_on_though_no_pattern_matches(reader: Reader) -> None:
    """After a rename to .1 the old file is finished first, then the new one at its path is read."""
    live, old = reader.root / "a.jsonl", reader.root / "a.jsonl.1"
    append(live, "{1}\n")
    reader.look()
    append(live, "{2}\n")
    live.rename(old)
    os.utime(old, ns=(1, 1))
    append(live, "{10}\n")
    reader.look()
    assert reader.rows == [(1, 1, "{1}\n"), (1, 2, "{2}\n"), (2, 1, "{10}\n")]
    assert reader.cursors[1].path == "a.jsonl.1"
    append(old, "{3}\n")
    reader.look()
    assert reader.rows[3:] == [(1, 3, "{3}\n")]


def test_rename_within_a_matching_pattern(reader: Reader) -> None:
    """A rename that the pattern follows delivers nothing again."""
    reader.patterns = ("*.jsonl*",)
    append(reader.root / "a.jsonl", "{1}\n")
    reader.look()
    (reader.root / "a.jsonl").rename(reader.root / "a.jsonl.1")
    (chunk,) = reader.look()
    assert (chunk.lines, chunk.cursor.path, chunk.file_id) == (0, "a.jsonl.1", 1)


def test_tail_of_a_rotated_file(reader: Reader) -> None:
    """Rotation makes a waiting tail a problem, once, and its late end still makes it a line."""
    append(reader.root / "a.jsonl", "{1}\n{2")
    reader.look()
    (reader.root / "a.jsonl").rename(reader.root / "a.jsonl.1")
    append(reader.root / "a.jsonl", "{10}\n")
    reader.look()
    reader.look()
    assert reader.complaints == [("unfinished line", "a.jsonl.1:2")]
    append(reader.root / "a.jsonl.1", "}\n")
    reader.look()
    assert sorted(reader.texts) == ["{10}", "{1}", "{2}"]
    assert len(reader.problems) == 1


def test_copy_truncate_starts_a_new_file(reader: Reader) -> None:
    """The same inode, smaller or with another head, is a new file; the tail that was lost is a problem."""
    live = reader.root / "a.jsonl"
    append(live, "{1}\n{2}\n{3")
    reader.look()
    live.write_text("{4}\n")
    reader.look()
    assert reader.rows[2:] == [(2, 1, "{4}\n")]
    assert reader.complaints == [("unfinished line", "a.jsonl:3")]
    live.write_text("{5}\n{6}\n")
    reader.look()
    assert reader.rows[3:] == [(3, 1, "{5}\n"), (3, 2, "{6}\n")]
    assert len(reader.problems) == 1


def test_same_head_but_smaller_is_a_new_file(reader: Reader) -> None:
    """A file smaller than the place reached is read from its start even if it begins as before."""
    live = reader.root / "a.jsonl"
    append(live, "{same}\n" * 500)
    reader.look()
    live.write_text("{same}\n" * 300)
    reader.look()
    assert [file_id for file_id, _, _ in reader.rows] == [1] * 500 + [2] * 300


def test_reused_inode_of_a_stranger_is_not_read(reader: Reader) -> None:
    """A file that no pattern matches is read only if it begins as the known one did."""
    append(reader.root / "a.jsonl", "{1}\n")
    reader.look()
    stranger = reader.root / "notes.txt"
    (reader.root / "a.jsonl").rename(stranger)
    stranger.write_text("{secret}\n{more}\n")
    assert reader.look() == []


def test_rotation_between_listing_and_opening(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file renamed after it was listed is found by its inode; its successor is read at the next look."""
    live = reader.root / "a.jsonl"
    append(live, "{1}\n")
    opened = listing.opened

    def late(found: listing.Found) -> object:
        if live.exists() and not (reader.root / "a.jsonl.1").exists():
            live.rename(reader.root / "a.jsonl.1")
            append(live, "{10}\n")
        return opened(found)

    monkeypatch.setattr("collector.sources.files.opened", late)
    reader.look()
    assert reader.numbered == [(1, "{1}")]
    reader.look()
    assert reader.rows[1:] == [(2, 1, "{10}\n")]
    assert reader.problems == []


def test_rotated_files_come_first(reader: Reader) -> None:
    """Files are read in the order of their last change."""
    reader.patterns = ("*",)
    for name, at_ns in (("a", 300), ("b", 100), ("c", 200)):
        append(reader.root / name, f"{{{name}}}\n")
        os.utime(reader.root / name, ns=(at_ns, at_ns))
    reader.look()
    assert reader.texts == ["{b}", "{c}", "{a}"]


# Compression


PACKERS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("packer", PACKERS.values(), ids=PACKERS)
def test_compression_shows_and_members_follow(reader: Reader, packer: Callable[[bytes], bytes]) -> None:
    """Compression shows in the bytes, not the name; members follow, also in the middle of a line."""
    append(reader.root / "a.jsonl", packer(b"{1}\n{2") + packer(b"2}\n{3}\n") + packer(b"") + packer(b"{4}\n"))
    reader.look()
    assert reader.numbered == [(1, "{1}"), (2, "{22}"), (3, "{3}"), (4, "{4}")]
    assert reader.problems == []
    assert reader.look() == []


@pytest.mark.parametrize("packer", PACKERS.values(), ids=PACKERS)
def test_grown_compressed_file_is_continued(reader: Reader, packer: Callable[[bytes], bytes]) -> None:
    """A member that is appended is read from the place in the text that had been reached."""
    for text in (b"{1}\n{2}\n", b"{3}\n"):
        append(reader.root / "a.jsonl", packer(text))
        reader.look()
    assert reader.numbered == [(1, "{1}"), (2, "{2}"), (3, "{3}")]
    assert len(reader.cursors) == 1


def test_truncated_gzip_gives_all_it_has_and_one_problem(reader: Reader) -> None:
    """Every whole line before the cut comes out, with one problem however often one looks."""
    text = b"".join(b"{%d}\n" % (n * 7919) for n in range(50_000))
    packed = gzip.compress(text)
    append(reader.root / "a.jsonl", packed[: len(packed) // 2])
    reader.look()
    os.utime(reader.root / "a.jsonl")
    reader.look()
    count = len(reader.rows)
    assert 20_000 < count < 30_000
    assert reader.complaints == [("corrupt file", f"a.jsonl:{count + 1}")]
    append(reader.root / "a.jsonl", packed[len(packed) // 2 :])
    reader.look()
    assert "\n".join(reader.texts).encode() == text.rstrip()
    assert len(reader.problems) == 1


def test_gzip_with_a_wrong_check_sum_gives_all_its_lines(reader: Reader) -> None:
    """Lines before an error come out although zlib throws them away with the error."""
    packed = bytearray(gzip.compress(b"{1}\n" * 1000))
    packed[-8] ^= 1
    append(reader.root / "a.jsonl", bytes(packed))
    reader.look()
    assert len(reader.rows) == 1000
    assert reader.complaints == [("corrupt file", "a.jsonl:1001")]
    assert "gzip" in reader.problems[0].message


def test_garbage_after_gzip_is_a_problem_but_padding_is_not(reader: Reader) -> None:
    """Zeros behind the last member are padding; other bytes are not silently dropped."""
    append(reader.root / "a.jsonl", gzip.compress(b"{1}\n") + bytes(100))
    append(reader.root / "b.jsonl", gzip.compress(b"{2}\n") + b"garbage")
    reader.look()
    assert sorted(reader.texts) == ["{1}", "{2}"]
    assert reader.complaints == [("corrupt file", "b.jsonl:2")]


def test_unfinished_line_in_a_compressed_file_is_a_problem_now(reader: Reader) -> None:
    """Nobody finishes a line in a compressed file."""
    append(reader.root / "a.jsonl", gzip.compress(b"{1}\n{2"))
    reader.look()
    reader.look()
    assert reader.complaints == [("unfinished line", "a.jsonl:2")]


def test_zstandard_is_a_clear_problem(reader: Reader) -> None:
    """What cannot be unpacked says so once, and what to do about it."""
    append(reader.root / "a.jsonl", pa.compress(b"{1}\n", codec="zstd", asbytes=True))
    reader.look()
    reader.look()
    assert reader.complaints == [("unreadable file", "a.jsonl")]
    assert "zstd" in reader.problems[0].message


def test_text_that_only_begins_like_bzip2_is_text() -> None:
    """Three letters are not enough to take a log for a compressed file."""
    assert packing(b"BZh is a fine prefix") == ""
    assert packing(bz2.compress(b"")) == packing(bz2.compress(b"x")) == "bzip2"


def test_highly_compressed_file_stays_in_memory(reader: Reader) -> None:
    """64 MB of text out of 64 KB are read in chunks of 4 MB."""
    append(reader.root / "a.jsonl", gzip.compress(b"{1}\n" * (16 << 20)))
    sizes_seen = [chunk.bytes_read for chunk in reader.chunks(chunk_bytes=4 << 20)]
    assert sum(sizes_seen) == 64 << 20
    assert max(sizes_seen) <= 5 << 20


# What cannot be read


def test_unreadable_file_is_a_problem_once_and_does_not_stop_the_others(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file without permission is one problem, the others are read, and it is read once it can be."""
    append(reader.root / "a.jsonl", "{1}\n")
    append(reader.root / "b.jsonl", "{2}\n")
    really = os.open

    def guarded(path: str, flags: int) -> int:
        if str(path).endswith("a.jsonl"):
            raise PermissionError(13, "Permission denied", path)
        return really(path, flags)

    with monkeypatch.context() as patch:
        patch.setattr("collector.sources.listing.os.open", guarded)
        reader.look()
        assert reader.look() == []
    assert reader.texts == ["{2}"]
    assert [(p.kind, p.place, p.message) for p in reader.problems] == [
        ("unreadable file", "a.jsonl", "Permission denied")
    ]
    reader.look()
    assert reader.texts == ["{2}", "{1}"]
    assert all(not cursor.trouble for cursor in reader.cursors.values())


def test_read_error_keeps_what_came_before_it(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """An I/O error in the middle is a problem; lines before it are delivered, and the next look goes on."""
    append(reader.root / "a.jsonl", "{1}\n{2}\n")
    reads = iter([4])

    def failing(self: object, view: memoryview) -> int:
        for count in reads:
            view[:count] = b"{1}\n"
            return count
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("collector.sources.lines.Plain.readinto", failing)
        reader.look()
        reader.look()
    assert (reader.texts, reader.complaints) == (["{1}"], [("unreadable file", "a.jsonl")])
    reader.look()
    assert reader.numbered == [(1, "{1}"), (2, "{2}")]


def test_vanished_between_listing_and_opening(reader: Reader) -> None:
    """A file that disappears while others are read is a problem, and nothing raises."""
    for name in ("a.jsonl", "b.jsonl"):
        append(reader.root / name, "{1}\n")
        os.utime(reader.root / name, ns=(1, 1))
    chunks = reader.chunks()
    reader.commit(next(chunks))
    (reader.root / "b.jsonl").unlink()
    for chunk in chunks:
        reader.commit(chunk)
    assert reader.complaints == [("unreadable file", "b.jsonl")]
    assert "vanished" in reader.problems[0].message


def test_what_is_no_file_is_a_problem(reader: Reader) -> None:
    """Directories, pipes, sockets and links to nowhere are named once and never hang us."""
    (reader.root / "d.jsonl").mkdir()
    os.mkfifo(reader.root / "p.jsonl")
    (reader.root / "l.jsonl").symlink_to("nowhere")
    append(reader.root / "z.jsonl", "{1}\n")
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(os.path.relpath(reader.root / "s.jsonl"))
        reader.look()
        assert reader.look() == []
    assert sorted(place for _, place in reader.complaints) == ["d.jsonl", "l.jsonl", "p.jsonl", "s.jsonl"]
    assert {kind for kind, _ in reader.complaints} == {"unreadable file"}
    assert reader.texts == ["{1}"]


def test_wildcard_alone_skips_directories(reader: Reader) -> None:
    """`*` and `**` mean files: that they match directories too is no problem."""
    reader.patterns = ("**",)
    (reader.root / "sub").mkdir()
    append(reader.root / "sub" / "a.jsonl", "{1}\n")
    reader.look()
    assert (reader.texts, reader.problems) == (["{1}"], [])
    assert reader.cursors[1].path == "sub/a.jsonl"


def test_file_that_shrinks_while_it_is_read(reader: Reader) -> None:
    """A file truncated between two chunks ends there without a problem; the next look sees a new file."""
    live = reader.root / "a.jsonl"
    append(live, "{1}\n" * 1000)
    chunks = reader.chunks(chunk_bytes=400)
    reader.commit(next(chunks))
    os.truncate(live, 8)
    for chunk in chunks:
        reader.commit(chunk)
    reader.look()
    assert [file_id for file_id, _, _ in reader.rows] == [1] * 100 + [2] * 2
    assert reader.problems == []


# Names


def test_one_file_by_many_names_is_read_once(reader: Reader) -> None:
    """Two patterns, a symbolic and a hard link name one file; a link made later changes nothing."""
    reader.patterns = ("*.jsonl", "b*", "./b.jsonl")
    append(reader.root / "b.jsonl", "{1}\n")
    (reader.root / "c.jsonl").symlink_to("b.jsonl")
    (reader.root / "d.jsonl").hardlink_to(reader.root / "b.jsonl")
    reader.look()
    assert reader.rows == [(1, 1, "{1}\n")]
    (reader.root / "a.jsonl").hardlink_to(reader.root / "b.jsonl")
    assert reader.look() == []


def test_symlink_to_another_directory_follows_rotation_there(reader: Reader) -> None:
    """The file behind a link is finished although it was renamed in the directory where it really is."""
    pods = reader.root / "pods"
    pods.mkdir()
    append(pods / "0.log", "{1}\n")
    (reader.root / "a.jsonl").symlink_to("pods/0.log")
    reader.look()
    append(pods / "0.log", "{2}\n")
    (pods / "0.log").rename(pods / "0.log.old")
    append(pods / "0.log", "{10}\n")
    reader.look()
    assert sorted(reader.texts) == ["{10}", "{1}", "{2}"]
    assert reader.cursors[1].path == "pods/0.log.old"


def test_patterns_outside_the_root_and_odd_names(reader: Reader) -> None:
    """Absolute patterns work, brackets in the root are no wildcard, and a name need not be UTF-8."""
    root = reader.root / "[r]"
    root.mkdir()
    (reader.root / os.fsdecode(b"x\xff.log")).write_text("{1}\n")
    append(root / "a.jsonl", "{2}\n")
    inner = replace(reader, root=root, patterns=("a.jsonl", f"{reader.root}/*.log"))
    inner.look()
    assert sorted(inner.texts) == ["{1}", "{2}"]
    assert sorted(cursor.path for cursor in inner.cursors.values()) == [
        f"{reader.root}/x\\xff.log",
        "a.jsonl",
    ]
    assert inner.look() == []


def test_sizes_add_up(reader: Reader) -> None:
    """The total for progress bars counts each regular file once."""
    append(reader.root / "a.jsonl", "12345")
    (reader.root / "b.jsonl").hardlink_to(reader.root / "a.jsonl")
    (reader.root / "d.jsonl").mkdir()
    assert sizes(["*.jsonl"], reader.root) == 5


def test_progress_ends_at_its_total(reader: Reader) -> None:
    """Progress never falls, and reaches the total that it announced."""
    seen: list[tuple[int, int]] = []
    append(reader.root / "a.jsonl", "{1}\n" * 100)
    append(reader.root / "b.jsonl", "{1}\n" * 100)
    for _ in read_lines(
        "app", ["*.jsonl"], reader.root, [], now_us=0, file_ids=numbered_from(1), parses=whole, chunk_bytes=100,
        progress=lambda done, total: seen.append((done, total)),
    ):  # fmt: skip
        pass
    assert seen == sorted(seen)
    assert seen[-1] == (800, 800)


# Whatever the way the bytes arrive

GOOD = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0}"), max_size=12).map(lambda t: f"{{{t}}}")
RAW_LINES = st.lists(
    st.one_of(
        GOOD.map(str.encode),
        st.sampled_from([b"", b" \t", b"\r", b"\xff}", b"\0}", b"{" + b"y" * 60 + b"}", b"{z}\r"]),
    ),
    max_size=25,
)


def expected(lines: Iterable[bytes]) -> tuple[list[tuple[int, str]], list[tuple[str, str]]]:
    """Good lines with their numbers, and kinds and line numbers of problems, the plain way."""
    good: list[tuple[int, str]] = []
    bad: list[tuple[str, str]] = []
    for no, line in enumerate(lines, 1):
        if len(line) > 50:
            bad.append(("line too long", str(no)))
        elif b"\xff" in line or b"\0" in line:
            bad.append(("not text", str(no)))
        elif line.strip():
            good.append((no, line.decode().rstrip("\r")))
    return good, bad


def outcome(reader: Reader) -> tuple[list[tuple[int, str]], list[tuple[str, str]]]:
    """What the reader has got, in the form of `expected`."""
    return reader.numbered, [(kind, place.rpartition(":")[2]) for kind, place in reader.complaints]


@settings(deadline=None, max_examples=150)
@given(lines=RAW_LINES, cuts=st.lists(st.integers(0, 400), max_size=6), data=st.data())
@example(lines=[b"{a}", b"", b"{b}"], cuts=[3, 4], data=None)
def test_slices_renames_and_crashes_change_nothing(
    lines: list[bytes], cuts: list[int], data: st.DataObject | None
) -> None:
    """However a file arrives, is renamed and chunked, and however looks die: each good line exactly once."""
    raw = b"".join(line + b"\n" for line in lines)
    bounds = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    with TemporaryDirectory() as folder:
        reader = Reader(Path(folder))
        path = reader.root / "a.jsonl"
        for turn, (start, end) in enumerate(pairwise(bounds)):
            append(path, raw[start:end])
            if data and reader.cursors and data.draw(st.booleans(), "renamed"):
                path = path.rename(reader.root / f"a.jsonl.{turn}")
            chunk_bytes = data.draw(st.integers(1, 80), "chunk") if data else 7
            chunks = reader.chunks(chunk_bytes=chunk_bytes, line_bytes_max=50)
            died_after = data.draw(st.integers(0, 30), "died") if data else 30
            for number, chunk in enumerate(chunks):
                if number >= died_after:
                    break
                reader.commit(chunk)
        reader.look(chunk_bytes=1000, line_bytes_max=50)
        good, bad = outcome(reader)
        unfinished = [place for kind, place in bad if kind == "unfinished line"]
        bad = [(kind, place) for kind, place in bad if kind != "unfinished line"]
        assert (good, bad) == expected(lines)
        assert reader.lines == len(lines)
        assert len(unfinished) == len(set(unfinished))


@settings(deadline=None, max_examples=100)
@given(
    lines=RAW_LINES,
    cuts=st.lists(st.integers(0, 400), max_size=4),
    packer=st.sampled_from(list(PACKERS.values())),
    together=st.booleans(),
)
def test_compressed_is_the_same_as_plain(
    lines: list[bytes], cuts: list[int], packer: Callable[[bytes], bytes], *, together: bool
) -> None:
    """Members cut anywhere, appended between looks or all at once, give the lines of the plain file."""
    raw = b"".join(line + b"\n" for line in lines)
    bounds = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    with TemporaryDirectory() as folder:
        reader = Reader(Path(folder), options={"chunk_bytes": 64, "line_bytes_max": 50})
        for start, end in pairwise(bounds):
            append(reader.root / "a.jsonl", packer(raw[start:end]))
            if not together:
                reader.look()
        reader.look()
        good, bad = outcome(reader)
        assert (good, [one for one in bad if one[0] != "unfinished line"]) == expected(lines)


@settings(deadline=None, max_examples=200)
@given(raw=st.binary(max_size=300), piece=st.integers(1, 40))
def test_garbage_never_raises_and_every_byte_is_accounted_for(raw: bytes, piece: int) -> None:
    """Any bytes in any pieces end in rows, blanks and problems that add up to the count of newlines."""
    raw = raw if raw[:2] not in (b"\xff\xfe", b"\xfe\xff") else raw[2:]
    cutter = LineCutter("app", "f", 30, Place(0, 0, midline=False, skipping=False))
    left = memoryview(raw)

    def readinto(view: memoryview) -> int:
        nonlocal left
        count = min(len(view), len(left))
        view[:count], left = left[:count], left[count:]
        return count

    while cutter.fill(readinto, piece):
        pass
    table, problems, lines, blank = cutter.drain()
    table.validate(full=True)
    assert lines == table.num_rows + len(problems) + blank
    assert lines == raw.count(b"\n") + cutter.midline
    assert cutter.offset + len(cutter.rest) == len(raw)
