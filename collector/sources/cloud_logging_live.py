"""Cloud Logging read live: a filter and the places reached come in, new entries go out as lines of JSON.

Entries are read in windows of the time at which Logging received them, each project by itself: from a little
before the watermark (what came meanwhile may be seen late) to the run's now. What an earlier window brought
is left out by its key. A window ends with its last page; until then the cursor holds the page token, so that
a reader that dies between two pages goes on at the second. The lines are what `gcloud logging read
--format=json` prints, for `cloud_logging.stage`. This module parses no more of an entry than its key, and
reads no clock.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import msgspec
import pyarrow as pa

from collector.problems import Problem
from collector.records import instant_text
from collector.sources.cloud_logging_api import PAGE_ENTRIES, Ask, Caller, CallError, Lister, Page, Quota
from collector.sources.cloud_logging_split import Group, Joiner, Split, joined
from collector.sources.cursors import TextCursor
from collector.sources.lines import LINES, bytes_excerpt

DAY_US = 24 * 3_600_000_000
LATENESS_US = DAY_US  # entries this old on receipt are read, and this far ahead (the most Logging takes)
TOKEN_US = 23 * 3_600_000_000  # a page token lives for 24 hours; one that may die on the way is not used
PIECE_PAGES = 10  # committed together: a commit a page would take longer than the page
SPLIT_PAGES_MAX = 2 * PIECE_PAGES  # for as long the parts of a split entry are waited for
RESUMPTIONS_MAX = 3  # without a token, in one window and run
PIECE_BYTES = 64 << 20
FRESH_MAX = 200_000  # keys kept; an entry beyond them that is read twice is a duplicate on record
KEY_BYTES = 8
_SECOND_CHARS = len("2026-11-20T00:00:00")


@dataclass(frozen=True, slots=True)
class Query:
    """What is read: what `filter` selects, `since_us` before now at first, and `overlap_us` of it again."""

    projects: tuple[str, ...]
    filter: str
    since_us: int
    overlap_us: int


class Window(msgspec.Struct, frozen=True):
    """An unfinished window: entries received from `start_us` up to `end_us`, read up to `token`.

    `filter` is a hash of the filter that the token belongs to. `reached`, the last timestamp, and
    `at_reached`, the keys that have it, are for going on without the token; `fresh` are the keys that the
    next window will meet again. Keys are 8 bytes each, one after the other.
    """

    start_us: int
    end_us: int
    filter: str
    token: str = ""
    reached: str = ""
    at_reached: bytes = b""
    resumed_from: str = ""
    resumed_skip: bytes = b""
    fresh: bytes = b""


class LiveCursor(TextCursor, frozen=True):
    """The place reached in one project: everything received before `watermark_us` has been read.

    `seen`: keys of the entries received shortly before it; `calls_at_us`: the last minute's calls, by the
    runs' clock. `line_no` counts the lines that were ever read, `path` is what they are said to stand in.
    """

    file_id: int
    path: str
    project: str
    line_no: int = 0
    watermark_us: int | None = None
    seen: bytes = b""
    window: Window | None = None
    calls_at_us: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """New entries of one project, and the cursor behind them, to be committed together.

    `table` has `line_no` and `line`; `problems` are entries that are no line. `error`: why the project cannot
    be read on now, empty if it can.
    """

    cursor: LiveCursor
    table: pa.Table
    problems: tuple[Problem, ...] = ()
    error: str = ""

    @property
    def lines(self) -> int:
        """How many entries there are, good or bad."""
        return int(self.table.num_rows) + len(self.problems)


class Key(msgspec.Struct, frozen=True):
    """What an entry is known by, and when it was received."""

    logName: str = ""  # noqa: N815 - the API's names
    timestamp: str = ""
    insertId: str = ""  # noqa: N815
    receiveTimestamp: str = ""  # noqa: N815
    split: Split | None = None

    def hash(self) -> bytes:
        """Equal for equal keys (contract: logName, timestamp, insertId)."""
        text = f"{self.logName}\0{self.timestamp}\0{self.insertId}"
        return blake2b(text.encode(), digest_size=KEY_BYTES).digest()

    @property
    def received(self) -> str:
        """When Logging received it, to the second, as text that sorts."""
        return self.receiveTimestamp[:_SECOND_CHARS]


_decode = msgspec.json.Decoder(Key).decode


def _key(entry: msgspec.Raw | bytes) -> Key:
    """The key of an entry; of one that has none, its whole text."""
    try:
        key = _decode(entry)
    except msgspec.DecodeError:
        key = Key()
    if key.insertId and key.receiveTimestamp:
        return key
    return msgspec.structs.replace(
        key, insertId=key.insertId or bytes(entry).decode(), receiveTimestamp=key.receiveTimestamp or "9"
    )


def fetch(  # noqa: PLR0913 - one argument a limit or rule
    source: str,
    query: Query,
    cursors: Sequence[LiveCursor],
    *,
    now_us: int,
    file_ids: Iterator[int],
    list_page: Lister,
    quota: Quota,
    calls_a_minute: int,
) -> Iterator[Piece]:
    """Yield everything new in the projects, one after the other, up to `now_us`.

    `cursors` are the newest of each project; new projects get their file ids from `file_ids`. A project that
    cannot be read ends with a piece that says why, and the others go on. Memory: ten pages.
    """
    known = {cursor.project: cursor for cursor in cursors}
    caller, began = Caller(list_page, quota, calls_a_minute), quota.monotonic()
    for project in query.projects:
        cursor = known.get(project)
        if cursor is None:
            cursor = LiveCursor(next(file_ids), f"projects/{project}", project)
        quota.told(project, [max(0, now_us - at_us) / 1e6 for at_us in cursor.calls_at_us])
        for piece in _Project(source, query, caller, cursor).pieces(now_us):
            clock_us = now_us + round((quota.monotonic() - began) * 1e6)
            calls = tuple(clock_us - round(age * 1e6) for age in quota.ages_s(project))
            yield replace(piece, cursor=msgspec.structs.replace(piece.cursor, calls_at_us=calls))


def watermark_us(query: Query, cursors: Sequence[LiveCursor]) -> int | None:
    """Up to when every project has been read to its end; None where one never was."""
    marks = {cursor.project: cursor.watermark_us for cursor in cursors}
    held = [marks.get(project) for project in query.projects]
    return None if None in held else min(mark for mark in held if mark is not None)


def window_filter(query: Query, window: Window) -> str:
    """The text that selects one window's entries; the user's own last: it may end in a comment."""
    start, end = instant_text(window.start_us), instant_text(window.end_us)
    floor = window.resumed_from or instant_text(window.start_us - LATENESS_US)
    limits = (
        f'receiveTimestamp>="{start}" AND receiveTimestamp<"{end}" AND '
        f'timestamp>="{floor}" AND timestamp<"{instant_text(window.end_us + LATENESS_US)}"'
    )
    return f"{limits} AND (\n{query.filter}\n)" if query.filter.strip() else limits


def sample(query: Query, project: str, *, now_us: int, entries: int) -> Ask:
    """A first look at a project: some entries that a first read would bring."""
    window = Window(now_us - query.since_us, now_us, "")
    return Ask(project, window_filter(query, window), page_entries=min(entries, PAGE_ENTRIES))


def lines_of(entries: Sequence[msgspec.Raw | bytes], line_no: int) -> pa.Table:
    """Entries as lines, numbered after `line_no`."""
    texts = pa.array([bytes(entry) for entry in entries], pa.binary()).cast(pa.string())
    numbers = pa.array(range(line_no + 1, line_no + 1 + len(entries)), pa.int64())
    return pa.table([numbers, texts], schema=LINES)


class _Project:
    """One project's turn in one run."""

    def __init__(self, source: str, query: Query, caller: Caller, cursor: LiveCursor) -> None:
        self._source, self._query, self._caller, self._cursor = source, query, caller, cursor

    def pieces(self, now_us: int) -> Iterator[Piece]:
        """Window after window up to `now_us`; the last piece says what failed, if so."""
        try:
            while True:
                window = self._window(now_us)
                if window is None:
                    return
                # Kept even if not one page comes: what failed to be read is not left out by the next run.
                self._cursor = msgspec.structs.replace(self._cursor, window=window)
                yield from self._read(window)
        except CallError as error:
            yield Piece(self._cursor, LINES.empty_table(), error=str(error))

    def _window(self, now_us: int) -> Window | None:
        """The window that was left unfinished, or the next; None when all has been read."""
        asked, old = _hash(self._query.filter), self._cursor.window
        if old is not None:
            alive = old.filter == asked and now_us - old.end_us < TOKEN_US
            return old if alive else _resumed(old, asked)
        mark = self._cursor.watermark_us
        if mark is not None and mark >= now_us:
            return None
        start_us = now_us - self._query.since_us if mark is None else mark - self._query.overlap_us
        return Window(start_us, now_us, asked)

    def _read(self, window: Window) -> Iterator[Piece]:
        """The pages of one window, some to a piece. Raises CallError when what was read is out."""
        pile, resumptions = self._pile(window), 0
        while True:
            text = window_filter(self._query, pile.window)
            try:
                page = self._caller.page(Ask(self._cursor.project, text, pile.window.token))
            except CallError as error:
                if pile.entries and not pile.joiner.open:
                    yield self._given(pile.piece())
                if not (error.refused and pile.window.token) or resumptions >= RESUMPTIONS_MAX:
                    raise
                # The token is no good any more: what it stood for is asked for by time.
                pile, resumptions = self._pile(_resumed(pile.begun, window.filter)), resumptions + 1
                continue
            pile.take(page)
            if not page.token or pile.full:
                yield self._given(pile.piece())
            if not page.token:
                return

    def _pile(self, window: Window) -> "_Pile":
        return _Pile(self._source, self._cursor, window, self._query.overlap_us)

    def _given(self, piece: Piece) -> Piece:
        self._cursor = piece.cursor
        return piece


def _resumed(window: Window, asked: str) -> Window:
    """The rest of `window` without its token: from the last timestamp on, but for the entries known there."""
    return msgspec.structs.replace(
        window, token="", filter=asked, resumed_from=window.reached or window.resumed_from,
        resumed_skip=window.at_reached if window.reached else window.resumed_skip,
    )  # fmt: skip


class _Pile:
    """What has been read of a window since the last piece."""

    def __init__(self, source: str, cursor: LiveCursor, window: Window, overlap_us: int) -> None:
        self._source, self._cursor = source, cursor
        self.window = self.begun = window
        self._fresh_from = instant_text(window.end_us - overlap_us)[:_SECOND_CHARS]
        self._skip = _keys(cursor.seen) | _keys(window.resumed_skip)
        self._fresh: list[bytes] = [window.fresh]
        self.joiner = Joiner()
        self._clear()

    def _clear(self) -> None:
        self.entries: list[msgspec.Raw | bytes] = []
        self._problems: list[Problem] = []
        self._pages = self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether it is time to commit; parts of one entry are kept together for a while."""
        held = self._pages >= (SPLIT_PAGES_MAX if self.joiner.open else PIECE_PAGES)
        return held or self._bytes >= PIECE_BYTES

    def take(self, page: Page) -> None:
        """Take in the entries of one page, but for those that are known."""
        keys = [self._one(entry) for entry in page.entries]
        self._pages += 1
        reached, at_reached = self.window.reached, self.window.at_reached
        if keys:
            last = keys[-1].timestamp
            here = b"".join(key.hash() for key in keys if key.timestamp == last)
            reached, at_reached = last, at_reached + here if last == reached else here
        self.window = msgspec.structs.replace(self.window, token=page.token, reached=reached, at_reached=at_reached)

    def _one(self, entry: msgspec.Raw) -> Key:
        key = _key(entry)
        again = key.received >= self._fresh_from  # the next window will meet it
        name = key.hash() if again or self._skip or key.split else b""
        self._bytes += len(memoryview(entry))
        if key.split is not None and name not in self._skip:
            group = self.joiner.add(bytes(entry), key.split, received=key.received, key=name)
            if group is not None:
                self._settle(group, joined(group))
            return key
        if again:
            self._fresh.append(name)
        if name not in self._skip:
            self.entries.append(entry)
        return key

    def _settle(self, group: Group, line: bytes | None) -> None:
        """A split entry is whole, or will never be."""
        self._fresh += group.keys
        if line is not None:
            self.entries.append(line)
            return
        part = next(iter(group.parts.values()))
        key = _key(part)
        message = f"of a split entry's {group.total} parts these are missing: {group.missing[:10]}"
        place = f"{key.logName} {key.insertId}"
        self._problems.append(Problem(self._source, "incomplete entry", place, message, bytes_excerpt(part)))

    def piece(self) -> Piece:
        """What there is, and the cursor behind it."""
        ended = not self.window.token
        self._give_up()
        fresh = b"".join(self._fresh)[: FRESH_MAX * KEY_BYTES]
        self._fresh = [fresh]
        self.window = msgspec.structs.replace(self.window, fresh=fresh)
        moved: Mapping[str, object] = {
            "line_no": self._cursor.line_no + len(self.entries),
            "window": None if ended else self.window,
            "seen": fresh if ended else self._cursor.seen,
            "watermark_us": self.window.end_us if ended else self._cursor.watermark_us,
        }
        table = lines_of(self.entries, self._cursor.line_no)
        self._cursor = msgspec.structs.replace(self._cursor, **moved)
        piece = Piece(self._cursor, table, tuple(self._problems))
        self._clear()
        self.begun = self.window
        return piece

    def _give_up(self) -> None:
        """Split entries that lack parts: those that the next window will not meet again are problems."""
        ended = not self.window.token
        for group in self.joiner.open.values():
            if not (ended and group.received >= self._fresh_from):
                self._settle(group, None)
        self.joiner.open.clear()


def _keys(joined_keys: bytes) -> frozenset[bytes]:
    return frozenset(joined_keys[place : place + KEY_BYTES] for place in range(0, len(joined_keys), KEY_BYTES))


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=KEY_BYTES).hexdigest()
