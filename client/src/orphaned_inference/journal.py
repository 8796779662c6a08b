"""The client log: records come in, JSON lines are appended to one file; it may vanish, fill up or be rotated.

No lock is held: a line is one write on a descriptor that appends, so that threads, forked processes and
signal handlers may all write. A line that cannot be written is lost, and the host does not learn of it.
"""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Mapping
from typing import Any

STANDARD_OUTPUT = "-"
_STDOUT = 1
# A pipe that nobody reads must not hold up the host; on a regular file O_NONBLOCK means nothing.
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_MODE = 0o644
_LOOK_SECONDS = 0.02
_encoded = json.JSONEncoder(separators=(",", ":")).encode

Identity = tuple[int, int]  # device and inode


def instant(time_ns: int) -> str:
    """Nanoseconds since 1970 as RFC 3339 in UTC, to the microsecond."""
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    return f"{_second(seconds)}.{rest_ns // 1000:06d}Z"


@functools.lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class Journal:
    """Appends to `path`; `-` is standard output. Nothing is opened before the first line."""

    def __init__(self, path: str) -> None:
        self.path = path if path == STANDARD_OUTPUT else os.path.abspath(path)
        self._descriptor = -1
        self._identity: Identity | None = None
        self._torn = False  # the last line was cut off by a full disk
        self._looked_at = 0.0  # seconds of time.monotonic

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one line. OSError where that cannot be done."""
        line = _encoded(record).encode() + b"\n"
        if self._torn:
            line = b"\n" + line
        written = os.write(self._opened(), line)
        self._torn = 0 < written < len(line)

    def _opened(self) -> int:
        """A descriptor of the file that stands at `path` now.

        The host may have closed all descriptors (a daemon does) and got our number again for a file of its own;
        and the log may have been rotated. Both show in device and inode.
        """
        if self.path == STANDARD_OUTPUT:
            return _STDOUT
        if self._descriptor >= 0:
            ours = _identity(self._descriptor) == self._identity
            if ours and self._is_in_place():
                return self._descriptor
            if ours:
                os.close(self._descriptor)
            self._descriptor = -1
        self._descriptor = self._open()
        self._identity = _identity(self._descriptor)
        return self._descriptor

    def _is_in_place(self) -> bool:
        """Whether the open file still stands at its path; looked up again after a moment only."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_SECONDS:
            return True
        self._looked_at = now
        return _identity(self.path) == self._identity

    def _open(self) -> int:
        try:
            return os.open(self.path, _FLAGS, _MODE)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            return os.open(self.path, _FLAGS, _MODE)


def _identity(file: int | str) -> Identity | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino
