"""Bytes of a log come in, piece by piece; whole lines go out as Arrow, and a problem for each bad one.

Compressed files are unpacked here too, as far as they can be read. This module opens nothing and parses no
line: whether an unfinished tail is a line after all, it asks its caller.
"""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.problems import EXCERPT_CHARS_MAX, Problem, excerpt

LINES = pa.schema([("line_no", pa.int64()), ("line", pa.string())])
PIECE_BYTES = 1 << 20  # a record batch each: big enough to be cheap, small enough that its pages stay warm
_RAW_BYTES = 16 << 10  # small: bz2 and lzma throw away all output of the call that finds an error
_EXCERPT_BYTES = 4 * (EXCERPT_CHARS_MAX + 1)
_NEWLINE, _RETURN, _SPACE, _ASCII_END = 10, 13, 32, 128
_BOM_UTF8 = b"\xef\xbb\xbf"
_BOMS_UTF16 = (b"\xff\xfe", b"\xfe\xff")

Octets = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]


class Place(NamedTuple):
    """How far a file has been consumed: bytes of text and lines, always up to the end of a line.

    `midline`: the last line was consumed before its newline came. `skipping`: so was a line too long, and
    what is left of it is to be thrown away.
    """

    offset: int
    line_no: int
    midline: bool
    skipping: bool


class LineCutter:
    """Cuts the pieces of one file into lines from `place` on; `offset` to `skipping` are the place reached.

    `rest` are the bytes after `offset` that are no whole line yet. `foreign` says why the file as a whole is
    no UTF-8, and is empty otherwise; nothing is cut from then on.
    """

    def __init__(self, source: str, path: str, line_bytes_max: int, place: Place) -> None:
        self.source, self.path, self.line_bytes_max = source, path, line_bytes_max
        self.offset, self.line_no, self.midline, self.skipping = place
        self.rest = b""
        self.foreign = ""
        self._is_end = np.empty(0, np.bool_)  # one for all pieces: a new one each would be cleared by the system first
        self.batches: list[pa.RecordBatch] = []
        self.problems: list[Problem] = []
        self.lines = self.blank = 0

    @property
    def place(self) -> Place:
        """The place reached."""
        return Place(self.offset, self.line_no, self.midline, self.skipping)

    def fill(self, readinto: Callable[[memoryview], int], bytes_max: int) -> int:
        """Read at most `bytes_max` bytes and cut them; the count of bytes read, 0 at the end.

        The buffer that is read into is the one the lines end up in: only the unfinished rest is copied.
        """
        held = len(self.rest)
        octets = np.empty(held + bytes_max, np.uint8)  # Arrow's own allocator would clear it first
        view = octets.data
        view[:held] = self.rest
        count = readinto(view[held:])
        if count:
            self._cut(pa.py_buffer(octets), octets[: held + count])
        return count

    def finish(self, parses: Callable[[str], bool]) -> str:
        """At the end of the file: take the unfinished tail as a line if it parses; if not, its excerpt."""
        if self.foreign or not self.rest.strip():
            return ""
        text = _text(self.rest)
        if text is None or not parses(text):
            return bytes_excerpt(self.rest)
        first_no = self.line_no if self.midline else self.line_no + 1
        self.batches.append(pa.record_batch([pa.array([first_no], pa.int64()), pa.array([text])], schema=LINES))
        self._advance(len(self.rest), first_no, 1)
        self.midline, self.rest = True, b""
        return ""

    def drain(self) -> tuple[pa.Table, tuple[Problem, ...], int, int]:
        """What was cut since the last drain: table, problems, count of lines, count of blank ones."""
        drained = (pa.Table.from_batches(self.batches, LINES), tuple(self.problems), self.lines, self.blank)
        self.batches, self.problems, self.lines, self.blank = [], [], 0, 0
        return drained

    def _advance(self, byte_count: int, line_no: int, line_count: int) -> None:
        self.offset += byte_count
        self.line_no = line_no
        self.lines += line_count

    def _cut(self, buffer: pa.Buffer, octets: Octets) -> None:
        """Take all whole lines of `octets` (a view of `buffer`) and keep the rest for the next piece."""
        start = self._after_mark(octets)
        if self._is_end.size < octets.size:
            self._is_end = np.empty(octets.size, np.bool_)
        ends = np.flatnonzero(np.equal(octets, _NEWLINE, out=self._is_end[: octets.size])) + 1
        if self.skipping:
            start, ends = (int(ends[0]), ends[1:]) if ends.size else (octets.size, ends)
            self.skipping = self.midline = bool(start == octets.size and octets[-1] != _NEWLINE)
        self.offset += start
        if self.foreign:
            return
        if ends.size:
            self._take(buffer, octets, start, ends)
            start = int(ends[-1])
        self.rest = octets[start:].tobytes()
        if len(self.rest) > self.line_bytes_max:
            self._give_up_on_rest()

    def _after_mark(self, octets: Octets) -> int:
        """Bytes that a byte order mark takes at the start of the file; sets `foreign` for marks of UTF-16."""
        if self.offset:
            return 0
        head = octets[:3].tobytes()
        if head.startswith(_BOMS_UTF16):
            self.foreign = "the file is UTF-16 or UTF-32, not UTF-8: convert it, for example with iconv"
        return len(_BOM_UTF8) if head == _BOM_UTF8 else 0

    def _take(self, buffer: pa.Buffer, octets: Octets, start: int, ends: Places) -> None:
        """Append the lines from `start` that end at `ends`: good ones as one batch, bad ones as problems."""
        count = ends.size
        bounds = np.empty(count + 1, np.int32)
        bounds[0], bounds[1:] = start, ends
        first_no = self.line_no if self.midline else self.line_no + 1
        numbers = pa.Array.from_buffers(pa.int64(), count, [None, pa.py_buffer(np.arange(first_no, first_no + count))])
        texts = pa.StringArray.from_buffers(count, pa.py_buffer(bounds), buffer)
        blank, wrong = self._blank(octets, bounds), self._wrong(octets, bounds, texts)
        for index in sorted(wrong):
            line = octets[bounds[index] : bounds[index + 1]]
            self.problems.append(self._problem(wrong[index], first_no + index, line[:_EXCERPT_BYTES].tobytes()))
        blank[list(wrong)] = False
        dropped = blank.copy()
        dropped[list(wrong)] = True
        batch = pa.record_batch([numbers, texts], schema=LINES)
        self.batches.append(batch.filter(pa.array(~dropped)) if dropped.any() else batch)
        closes_line = int(self.midline and blank[0])  # only the newline of a line that was taken before
        self.blank += int(np.count_nonzero(blank)) - closes_line
        self._advance(int(ends[-1]) - start, first_no + count - 1, count - closes_line)
        self.midline = False

    def _blank(self, octets: Octets, bounds: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Which lines are nothing but white space."""
        starts, lengths = bounds[:-1], np.diff(bounds)
        firsts = octets[starts]
        blank: npt.NDArray[np.bool_] = (firsts == _NEWLINE) | ((firsts == _RETURN) & (lengths == len("\r\n")))
        for index in np.flatnonzero((firsts <= _SPACE) & ~blank):
            blank[index] = not octets[bounds[index] : bounds[index + 1]].tobytes().strip()
        return blank

    def _wrong(self, octets: Octets, bounds: npt.NDArray[np.int32], texts: pa.StringArray) -> dict[int, str]:
        """The kind of problem by index of each line that is too long or no text; cheap if all are well."""
        wrong: dict[int, str] = {}
        whole = octets[bounds[0] : bounds[-1]]
        if whole.max() >= _ASCII_END and not _is_utf8(texts):
            for index in _lines_with(octets >= _ASCII_END, bounds):
                if _text(octets[bounds[index] : bounds[index + 1]].tobytes()) is None:
                    wrong[index] = "not text"
        if whole.min() == 0:
            wrong.update(dict.fromkeys(_lines_with(octets == 0, bounds), "not text"))
        if whole.size > self.line_bytes_max:
            too_long = np.flatnonzero(np.diff(bounds) - 1 > self.line_bytes_max)
            wrong.update(dict.fromkeys(too_long.tolist(), "line too long"))
        return wrong

    def _give_up_on_rest(self) -> None:
        line_no = self.line_no if self.midline else self.line_no + 1
        self.problems.append(self._problem("line too long", line_no, self.rest))
        self._advance(len(self.rest), line_no, 1)
        self.midline = self.skipping = True
        self.rest = b""

    def _problem(self, kind: str, line_no: int, line: bytes) -> Problem:
        messages = {
            "line too long": f"the line is longer than {self.line_bytes_max} bytes",
            "not text": "the line is no UTF-8 text, or contains a NUL byte",
        }
        return Problem(self.source, kind, f"{self.path}:{line_no}", messages[kind], bytes_excerpt(line))


def bytes_excerpt(line: bytes) -> str:
    """The beginning of `line`, safe to store and show; never empty for a line that is not blank."""
    return excerpt(line[:_EXCERPT_BYTES].decode("utf-8", "replace").rstrip("\r\n"))


def _text(line: bytes) -> str | None:
    """`line` as text; None if it is no UTF-8 or contains a NUL."""
    try:
        return None if b"\0" in line else line.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _is_utf8(texts: pa.StringArray) -> bool:
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _lines_with(marked: npt.NDArray[np.bool_], bounds: npt.NDArray[np.int32]) -> list[int]:
    """Indices of the lines (as `bounds` cut them) in which a byte is marked."""
    places = np.flatnonzero(marked[: bounds[-1]])
    indices: list[int] = np.unique(np.searchsorted(bounds, places[places >= bounds[0]], "right") - 1).tolist()
    return indices


class Plain:
    """The text in a file as it is, from `offset` to `size`; `cut` if the file has shrunk meanwhile."""

    broken = ""

    def __init__(self, file: io.FileIO, offset: int, size: int) -> None:
        self._file, self.bytes_left, self.cut = file, size - offset, False
        file.seek(offset)

    def readinto(self, view: memoryview) -> int:
        """Fill the beginning of `view`; 0 at the end. Raises OSError."""
        count = self._file.readinto(view[: self.bytes_left])
        self.cut = not count and self.bytes_left > 0
        self.bytes_left = self.bytes_left - count if count else 0
        return count


class _Unpacker(Protocol):
    """What bz2, lzma and `_Inflater` have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Inflater:
    """zlib's decompressor of gzip with the face that bz2's and lzma's have.

    After an error it gives what came before it: zlib alone throws away all output of the failing call.
    """

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)
        self._error: zlib.error | None = None

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        if self._error:
            raise self._error
        before, data = self._zlib.copy(), self._zlib.unconsumed_tail + data
        try:
            return self._zlib.decompress(data, max_length)
        except zlib.error as error:
            self._error = error
        saved = bytearray()
        try:
            for index in range(len(data)):
                saved += before.decompress(data[index : index + 1])
        except zlib.error:
            return bytes(saved)
        return bytes(saved)


UNPACKERS: dict[str, Callable[[], _Unpacker]] = {
    "gzip": _Inflater,
    "bzip2": bz2.BZ2Decompressor,
    "xz": lzma.LZMADecompressor,
}
_MAGICS = {  # zstd is in no standard library before Python 3.14
    b"\x1f\x8b\x08": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}


def packing(head: bytes) -> str:
    """The compression that the first bytes of a file show: gzip, bzip2, xz, zstd, or empty for none."""
    if head.startswith(b"BZh") and head[4:10] not in (b"1AY&SY", b"\x17rE8P\x90"):
        return ""  # a line of text may begin so
    return next((name for magic, name in _MAGICS.items() if head.startswith(magic)), "")


class Unpacked:
    """The text in a compressed file, member after member; `broken` says what ended it early, if so."""

    bytes_left = PIECE_BYTES  # nobody knows, but enough for one piece
    cut = False

    def __init__(self, file: io.FileIO, name: str) -> None:
        """`name` is one of `UNPACKERS`."""
        self._file, self._name, self._make = file, name, UNPACKERS[name]
        self._unpacker: _Unpacker | None = self._make()
        self._raw = self._text = b""  # read but not yet unpacked, unpacked but not yet asked for
        self.broken = ""

    def readinto(self, view: memoryview) -> int:
        """Fill `view` with text, less only at the end or where the file is broken. Raises OSError."""
        filled = 0
        while filled < len(view) and (self._text or self._unpack(len(view) - filled)):
            taken = min(len(self._text), len(view) - filled)
            view[filled : filled + taken] = self._text[:taken]
            self._text = self._text[taken:]
            filled += taken
        return filled

    def _unpack(self, bytes_max: int) -> bool:
        """Unpack some text, about `bytes_max` bytes at most; whether there was any."""
        while not self.broken and self._unpacker:
            hungry = self._unpacker.needs_input
            data = (self._raw or self._file.read(_RAW_BYTES)) if hungry else b""
            self._raw = self._raw if not hungry else b""
            try:
                self._text = self._unpacker.decompress(data, bytes_max)
            except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
                self.broken = f"the {self._name} file is corrupt: {error}"
                return False
            if self._unpacker.eof:
                self._next_member(self._unpacker)
            elif hungry and not data and not self._text:
                self.broken = f"the {self._name} file is cut off before its end"
            if self._text:
                return True
        return False

    def skip(self, count: int) -> None:
        """Throw away `count` bytes of text; broken when there are fewer."""
        scratch = memoryview(bytearray(min(count, PIECE_BYTES)))
        while count and (got := self.readinto(scratch[: min(count, len(scratch))])):
            count -= got
        if count and not self.broken:
            self.broken = f"the {self._name} file holds less text than was read before"

    def _next_member(self, unpacker: _Unpacker) -> None:
        """Go on behind the end of a member: zeros are padding, anything else is the next member."""
        spare = unpacker.unused_data.lstrip(b"\0")
        while not spare and (more := self._file.read(_RAW_BYTES)):
            spare = more.lstrip(b"\0")
        self._raw = spare
        self._unpacker = self._make() if spare else None
