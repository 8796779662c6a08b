"""The client log: records come in, JSON lines are appended to one file; it may vanish, fill up or be rotated.

No lock is waited for: a line is one write on a descriptor that appends, so that threads, forked processes and
signal handlers may all write. A line that cannot be written is lost, and the host does not learn of it.
"""

from __future__ import annotations

import functools
import json
import os
import time
from _thread import allocate_lock
from collections.abc import Mapping
from typing import Any, NamedTuple

STANDARD_OUTPUT = "-"
_STDOUT = 1
# A pipe that nobody reads must not hold up the host; on a regular file O_NONBLOCK means nothing.
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_MODE = 0o644
_LOOK_SECONDS = 0.02
_encoded = json.JSONEncoder(separators=(",", ":")).encode
_quoted = json.encoder.encode_basestring_ascii

Identity = tuple[int, int]  # inode and device, as a stat has them in its places 1 and 2


class _File(NamedTuple):
    """The log as it was opened: one value, so that no thread sees the half of it."""

    descriptor: int
    identity: Identity


def text_or_null(value: str | None) -> str:
    """A text as JSON. Lines of calls are put together from these: a general encoder takes three times as long."""
    return "null" if value is None else _quoted(value)


def number_or_null(value: int | None) -> str:
    """A whole number as JSON."""
    return "null" if value is None else f"{int(value)}"


def instant(time_ns: int) -> str:
    """Nanoseconds since 1970 as RFC 3339 in UTC, to the microsecond."""
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    return f"{_second(seconds)}.{rest_ns // 1000:06d}Z"


@functools.lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class Journal:
    """Appends to `path`; `-` is standard output. Nothing is opened before the first line."""

    _file: _File | None = None

    def __init__(self, path: str) -> None:
        self.path = path if path == STANDARD_OUTPUT else os.path.abspath(path)
        self._torn = False  # the last line was cut off by a full disk
        self._looked_at = 0.0  # seconds of time.monotonic
        self._turn = allocate_lock()  # to keep a descriptor; whoever does not get it writes without keeping one

    def __del__(self) -> None:
        """Nobody writes to it any more: the calls of a watch that was switched elsewhere have ended."""
        file = self._file
        try:
            if file is not None and _is_of(file.descriptor, file.identity):
                os.close(file.descriptor)
        except Exception:  # noqa: BLE001 - the interpreter goes, and half of this module has gone already
            return

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one record. OSError where that cannot be done."""
        self.append(_encoded(record))

    def append(self, text: str) -> None:
        """Append one line, JSON already. OSError where that cannot be done."""
        line = (f"\n{text}\n" if self._torn else f"{text}\n").encode()
        descriptor = self._standing()
        written = os.write(descriptor, line) if descriptor is not None else self._write_anew(line)
        self._torn = 0 < written < len(line)

    def _standing(self) -> int | None:
        """The descriptor that is open, if it is of the file that stands at `path` now.

        The host may have closed all descriptors (a daemon does) and got our number again for a file of its own;
        and the log may have been rotated. Both show in device and inode.
        """
        file = self._file
        if file is None:
            return _STDOUT if self.path == STANDARD_OUTPUT else None
        descriptor, identity = file
        if not _is_of(descriptor, identity):
            return None
        now = time.monotonic()
        if now - self._looked_at < _LOOK_SECONDS:  # a file that was moved goes on being written to until then
            return descriptor
        self._looked_at = now
        return descriptor if _is_of(self.path, identity) else None

    def _write_anew(self, line: bytes) -> int:
        """Open the file for this line, and keep it open for the next ones unless a thread is just doing that."""
        descriptor = self._open()
        is_kept = False
        try:
            written = os.write(descriptor, line)
            if self._turn.acquire(blocking=False):
                try:
                    is_kept = self._keeps(descriptor)
                finally:
                    self._turn.release()
        finally:
            if not is_kept:
                os.close(descriptor)
        return written

    def _keeps(self, descriptor: int) -> bool:
        """Write to this file from now on; True if under this number.

        Where the log was rotated its old number names the new file: it is never free, for another thread may be about
        to write to it and the host may be opening a file of its own.
        """
        old, identity = self._file, os.fstat(descriptor)[1:3]
        if old is None or not _is_of(old.descriptor, old.identity):
            self._file = _File(descriptor, identity)
            return True
        if old.identity != identity:
            os.dup2(descriptor, old.descriptor, inheritable=False)
            self._file = _File(old.descriptor, identity)
        return False

    def _open(self) -> int:
        try:
            return os.open(self.path, _FLAGS, _MODE)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            return os.open(self.path, _FLAGS, _MODE)


def _is_of(file: int | str, identity: Identity) -> bool:
    """Whether this descriptor or path is of that file."""
    try:
        return os.stat(file)[1:3] == identity
    except OSError:
        return False
