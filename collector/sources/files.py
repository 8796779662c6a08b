"""Paths with wildcards and the places reached come in; lines written since go out as Arrow chunks.

Files grow, are renamed or copied away by log rotation, are compressed, cut off or broken. A file is known by
its device, inode and a hash of its first KiB; one that is smaller than the place reached, or begins
otherwise, is another file. A known file that was renamed within its directory is read on, whether or not a
pattern matches its new name. Nothing here raises for a bad file: each trouble is a problem once, is
remembered in the file's cursor, and is tried again at every look. Kinds: "not text", "line too long",
"unfinished line" (place: file and line), "corrupt file" (where its text stops) and "unreadable file".

This module refuses to parse: lines are text, with their newline where there was one. It reads no clock.
"""

import errno
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from collector.problems import Problem
from collector.sources.lines import LINES, PIECE_BYTES, UNPACKERS, LineCutter, Place, Plain, Unpacked, packing
from collector.sources.listing import Found, Identity, listed, opened, printable, reason, renamed

CHUNK_BYTES = 64 << 20
LINE_BYTES_MAX = 4 << 20
HEAD_BYTES = 1024
_CLOSED_AFTER_NS = 3600 * 10**9  # a tail that nobody has finished for an hour will not be finished
_PROBLEMS_MAX = 10_000  # in one chunk, so that a file of garbage stays within memory


@dataclass(frozen=True, slots=True)
class FileCursor:
    """The place reached in one file. `offset` is in bytes of text; `head_bytes` and `size` are bytes on disk.

    `ends_midline`: the last line was taken before its newline came; `skipping`: so was a line too long, and
    its remainder is to be thrown away. `tail` is an excerpt of the unfinished line that waits at `offset`,
    and `tail_reported` whether it is a problem already. `trouble` is why the file could not be read (to its
    end), as reported. `size` and `mtime_ns` are the file's when last read to its end; else -1 and 0.
    """

    file_id: int
    path: str
    real_path: str
    device: int
    inode: int
    head_bytes: int = 0
    head_hash: str = ""
    offset: int = 0
    line_no: int = 0
    ends_midline: bool = False
    skipping: bool = False
    tail: str = ""
    tail_reported: bool = False
    trouble: str = ""
    size: int = -1
    mtime_ns: int = 0

    def to_json(self) -> dict[str, Any]:
        """The cursor as a dict of plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The cursor that `to_json` gave `values` for."""
        return cls(**values)

    @property
    def identity(self) -> Identity:
        """What the system knows the file by."""
        return self.device, self.inode


@dataclass(frozen=True, slots=True)
class LineChunk:
    """Consecutive new lines of one file, and the cursor behind them, to be committed together.

    `table` has `line_no` (int64, from 1) and `line` (string) of every line that is text; `lines` counts these
    and the blank and the bad ones: lines = rows + blank + problems of kind "not text" or "line too long".
    `bytes_read` is bytes of text. A chunk may be empty but for its cursor or a problem.
    """

    file_id: int
    path: str
    table: pa.Table
    lines: int
    blank: int
    problems: tuple[Problem, ...]
    cursor: FileCursor
    bytes_read: int


def read_lines(  # noqa: PLR0913 - one argument a limit or rule
    source: str,
    patterns: Sequence[str],
    root: Path,
    cursors: Sequence[FileCursor],
    *,
    now_us: int,
    file_ids: Iterator[int],
    parses: Callable[[str], bool],
    chunk_bytes: int = CHUNK_BYTES,
    line_bytes_max: int = LINE_BYTES_MAX,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[LineChunk]:
    """Yield everything new in the files that `patterns` (relative to `root`, `**` allowed) or `cursors` name.

    `cursors` are all that earlier chunks of this source carried, the newest of each `file_id`; new files get
    ids from `file_ids`. `parses` says whether an unterminated last line is whole after all. `progress`
    gets bytes done and in total, each time a chunk has been dealt with. Memory: `chunk_bytes` and two lines.
    """
    unmatched: dict[Identity, list[FileCursor]] = {}
    for cursor in sorted(cursors, key=lambda cursor: -cursor.file_id):
        unmatched.setdefault(cursor.identity, []).append(cursor)
    look = _Look(source, now_us, file_ids, parses, chunk_bytes, line_bytes_max, unmatched)
    found = listed(patterns, root, {cursor.path for cursor in cursors})
    present = {one.identity for one in found}
    found += renamed([(c.identity, c.path, c.real_path) for c in cursors if c.identity not in present], root)
    found = sorted((one for one in found if not look.unchanged(one)), key=lambda one: (one.mtime_ns, one.shown))
    sizes_left = [look.size_left(one) for one in found]
    done, total = 0, sum(sizes_left)
    for one, size in zip(found, sizes_left, strict=True):
        left = size
        for chunk in look.read(one):
            yield chunk
            done, left = done + min(chunk.bytes_read, left), left - min(chunk.bytes_read, left)
            if progress:
                progress(done, total)
        done += left
    yield from look.gone()


def sizes(patterns: Sequence[str], root: Path) -> int:
    """Raw bytes in all regular files that `patterns` match."""
    return sum(one.size for one in listed(patterns, root, set()) if not one.trouble)


@dataclass(slots=True)
class _Look:
    """One look at all the files of a source: which cursor is whose, and what is new."""

    source: str
    now_us: int
    file_ids: Iterator[int]
    parses: Callable[[str], bool]
    chunk_bytes: int
    line_bytes_max: int
    unmatched: dict[Identity, list[FileCursor]]

    def unchanged(self, found: Found) -> bool:
        """Whether a cursor says that nothing is new; such a file is not opened."""
        for cursor in self.unmatched.get(found.identity, [])[:1]:
            same = (cursor.size, cursor.mtime_ns, cursor.path) == (found.size, found.mtime_ns, found.shown)
            if same and not found.trouble and (cursor.tail_reported or not cursor.tail):
                self._match(found, lambda _: True)
                return True
        return False

    def size_left(self, found: Found) -> int:
        """Bytes that are to be read of a file; a guess for compressed ones."""
        places = [max(cursor.size, cursor.offset) for cursor in self.unmatched.get(found.identity, [])]
        return max(0, found.size - max(places, default=0))

    def read(self, found: Found) -> Iterator[LineChunk]:
        """All chunks of one file, in order."""
        if found.trouble:
            yield from self._troubled(found, found.trouble)
            return
        try:
            file = opened(found)
        except OSError as error:
            yield from self._troubled(found, reason(error))
            return
        with file:
            status = os.fstat(file.fileno())
            try:
                head = os.pread(file.fileno(), HEAD_BYTES, 0)
            except OSError as error:
                yield from self._troubled(found, reason(error))
                return
            if not head:
                return
            old = self._match(found, lambda cursor: _continues(cursor, head, status.st_size, found.shown))
            if old or found.globbed:
                yield from self._new_lines(found, file, head, status, old)

    def gone(self) -> Iterator[LineChunk]:
        """Report the unfinished tails of files that are no more."""
        for cursor in sorted((c for left in self.unmatched.values() for c in left), key=lambda c: c.file_id):
            if cursor.tail and not cursor.tail_reported:
                problem = self._unfinished(cursor, "the file is gone or was replaced")
                yield self._chunk(cursor.path, cursor, replace(cursor, tail_reported=True), None, (problem,))

    def _match(self, found: Found, fits: Callable[[FileCursor], bool]) -> FileCursor | None:
        """The newest cursor of this identity that fits, which is then no other file's."""
        candidates = self.unmatched.get(found.identity, [])
        cursor = next((cursor for cursor in candidates if fits(cursor)), None)
        if cursor:
            candidates.remove(cursor)
        return cursor

    def _begun(self, found: Found) -> FileCursor:
        return FileCursor(next(self.file_ids), found.shown, printable(os.path.realpath(found.path)), *found.identity)

    def _troubled(self, found: Found, trouble: str) -> Iterator[LineChunk]:
        """One problem and a cursor that remembers it, unless it does already."""
        old = self._match(found, lambda cursor: cursor.head_bytes > 0 or cursor.path == found.shown)
        if (old and old.trouble == trouble) or not (old or found.globbed):
            return
        problem = Problem(self.source, "unreadable file", found.shown, trouble)
        cursor = old or self._begun(found)
        yield self._chunk(found.shown, cursor, replace(cursor, trouble=trouble, size=-1, mtime_ns=0), None, (problem,))

    def _new_lines(
        self, found: Found, file: io.FileIO, head: bytes, status: os.stat_result, old: FileCursor | None
    ) -> Iterator[LineChunk]:
        """Chunks from the place reached to the end of the file as it was when it was opened."""
        start = replace(
            old or self._begun(found), path=found.shown, real_path=printable(os.path.realpath(found.path)),
            head_bytes=len(head), head_hash=_hash(head), size=-1, mtime_ns=0,
        )  # fmt: skip
        reached = Place(start.offset, start.line_no, start.ends_midline, start.skipping)
        cutter = LineCutter(self.source, found.shown, self.line_bytes_max, reached)
        given, text, failed = start, None, ""
        piece_bytes = min(PIECE_BYTES, self.chunk_bytes)
        try:
            text = _text(file, head, start.offset, status.st_size)
            while not cutter.foreign and cutter.fill(text.readinto, min(piece_bytes, text.bytes_left)):
                here = _place(start, cutter)
                if here.offset - given.offset >= self.chunk_bytes or len(cutter.problems) > _PROBLEMS_MAX:
                    yield self._chunk(found.shown, given, here, cutter)
                    given = here
        except OSError as error:
            failed = reason(error)
        if text is None or failed or text.cut:
            end, problems = self._interrupted(_place(start, cutter), failed)
        else:
            rotated = old is not None and old.path != found.shown
            closed = rotated or isinstance(text, Unpacked) or self.now_us * 1000 - status.st_mtime_ns > _CLOSED_AFTER_NS
            end, problems = self._ended(start, cutter, text.broken, closed=closed)
            end = replace(end, size=status.st_size, mtime_ns=status.st_mtime_ns)
        if end != old or cutter.lines or cutter.problems:
            yield self._chunk(found.shown, given, end, cutter, problems)

    def _interrupted(self, place: FileCursor, failed: str) -> tuple[FileCursor, tuple[Problem, ...]]:
        """The cursor where reading failed, or the file shrank meanwhile: the next look goes on there."""
        if not failed or failed == place.trouble:
            return place, ()
        return replace(place, trouble=failed), (Problem(self.source, "unreadable file", place.path, failed),)

    def _ended(
        self, start: FileCursor, cutter: LineCutter, broken: str, *, closed: bool
    ) -> tuple[FileCursor, tuple[Problem, ...]]:
        """The cursor at the end of the file, and what is wrong with that end unless it was reported."""
        tail, trouble = cutter.finish(self.parses), cutter.foreign or broken
        place = _place(start, cutter)
        reported = place.tail_reported or bool(trouble)
        problems: tuple[Problem, ...] = ()
        place = replace(place, tail=tail, trouble=trouble)
        if trouble and trouble != start.trouble:
            unreadable = ("unreadable file", place.path)
            kind, where = unreadable if cutter.foreign else ("corrupt file", _next_line(place))
            problems = (Problem(self.source, kind, where, trouble, tail),)
        elif tail and closed and not reported:
            problems = (self._unfinished(place, "the file is closed"),)
            reported = True
        return replace(place, tail_reported=reported and bool(tail)), problems

    def _unfinished(self, cursor: FileCursor, why: str) -> Problem:
        message = f"the last line was never finished, and {why}"
        return Problem(self.source, "unfinished line", _next_line(cursor), message, cursor.tail)

    def _chunk(
        self, shown: str, before: FileCursor, cursor: FileCursor, cutter: LineCutter | None,
        problems: tuple[Problem, ...] = (),
    ) -> LineChunk:  # fmt: skip
        table, cut, lines, blank = cutter.drain() if cutter else (LINES.empty_table(), (), 0, 0)
        return LineChunk(
            cursor.file_id, shown, table, lines, blank, cut + problems, cursor, cursor.offset - before.offset
        )


def _place(start: FileCursor, cutter: LineCutter) -> FileCursor:
    """`start` moved to where `cutter` is; a tail that waited is forgotten once it has been passed."""
    if cutter.offset == start.offset:
        return start
    return replace(
        start, offset=cutter.offset, line_no=cutter.line_no, ends_midline=cutter.midline,
        skipping=cutter.skipping, tail="", tail_reported=False,
    )  # fmt: skip


def _next_line(cursor: FileCursor) -> str:
    return f"{cursor.path}:{cursor.line_no if cursor.ends_midline else cursor.line_no + 1}"


def _text(file: io.FileIO, head: bytes, offset: int, size: int) -> Plain | Unpacked:
    """The text of `file` from `offset` on, unpacked where its first bytes say so. Raises OSError."""
    packed = packing(head)
    if not packed:
        return Plain(file, offset, size)
    if packed not in UNPACKERS:
        raise OSError(errno.ENOTSUP, f"it is compressed with {packed}, which is not supported: unpack it")
    text = Unpacked(file, packed)
    text.skip(offset)
    return text


def _continues(cursor: FileCursor, head: bytes, size: int, shown: str) -> bool:
    """Whether the file that begins with `head` is the one that `cursor` is about, perhaps grown."""
    if not cursor.head_bytes:
        return cursor.path == shown
    place = cursor.size if packing(head) else cursor.offset
    return size >= place and _hash(head[: cursor.head_bytes]) == cursor.head_hash and len(head) >= cursor.head_bytes


def _hash(head: bytes) -> str:
    return blake2b(head, digest_size=16).hexdigest()
