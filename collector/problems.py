"""Data problems: what was wrong, where, and what became of it. They are values; nothing here raises for bad data.

Operating errors (something outside failed) and broken invariants are exceptions, because they end a source's
turn or a whole run.
"""

from dataclasses import dataclass

EXCERPT_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the data. `place` is file:line, an entry's own id, or the bucket it is about."""

    source: str
    kind: str
    place: str
    message: str
    excerpt: str = ""


class OperatingError(Exception):
    """Something outside failed: which, and what a person can do about it. Exit code 1."""


class LedgerBusyError(OperatingError):
    """Another process holds the ledger; the message says which."""


class UsageError(Exception):
    """The caller or the config asked for something impossible. Exit code 2."""


class BrokenInvariantError(Exception):
    """The books do not add up: the run is rolled back, and the last good figures stay. Exit code 3."""


def excerpt(text: str) -> str:
    """The beginning of `text` that is safe to store and show: one line, bounded, printable."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: EXCERPT_CHARS_MAX + 1])
    return shown if len(shown) <= EXCERPT_CHARS_MAX else shown[: EXCERPT_CHARS_MAX - 1] + "…"
