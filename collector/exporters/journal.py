"""The settled accounts as a Beancount journal, for `orphaned journal`.

A connection to the ledger comes in (as of whichever instant its reader chose); text goes out, entry by entry, so
that memory follows the number of accounts and not that of entries. One transaction holds what one run booked for
one usage day of one account of the bill, in one currency: runs are atomic and never change, so a later journal only
adds transactions. A period of the bill is booked on its day (UTC) when it settles; whatever a later run changes is a
correction, dated on the day of that run. The balances at the end come from the current buckets and verdicts, not
from the entries before them: `bean-check` proves that both ways agree, and that in every entry the parts add up to
the bill. Amounts always have nine decimals, because Beancount forgives half of the last digit that it sees.

Beancount's syntax: https://beancount.github.io/docs/beancount_language_syntax.html
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, BinaryIO, NamedTuple

import duckdb

from collector.exporters.tables import Progress, unwatched
from collector.ledger import dialect
from collector.money import NANO_PER_UNIT
from collector.records import instant_text

PACKAGE = "collector.exporters"
OPENED = "1970-01-01"  # before any entry, also before one that comes later and is dated earlier
PARTS = {
    "delivered": "Delivered", "orphaned": "Orphaned", "cut_short": "Cut-short", "failed": "Failed",
    "unattributed": "Unattributed",
}  # fmt: skip
UNKNOWN, UNASSIGNED = "Unknown", "Unassigned"
_DIGEST_CHARS = 8
_HEAD = """\
;; What inference cost, as far as the bill is settled. Made by `orphaned journal`: edit nothing here, include it.
;; Expenses:Inference:<provider>:<account>:<service>:<part>; under Unassigned stands what is of no one service.
option "title" "Inference, settled"
option "operating_currency" "{currency}"
"""
_TAIL = """
;; As known by {as_of}. What `orphaned export reconciliation --as-of {as_of}` adds up to, to the last digit.
"""


class Move(NamedTuple):
    """One row of journal_posting.sql: what one run put into one account, in nano-units."""

    run_id: int
    recorded_at_us: int
    day_at_us: int
    corrects: bool
    provider: str
    account: str
    currency: str
    service: str | None
    part: str
    nano: int


class Chart:
    """The chart of accounts: Beancount's name of each, given in the order of first use and never changed.

    Beancount allows capital letters or digits first, then letters, digits and dashes. Two names that would look
    alike are told apart by a digest behind the later one.
    """

    def __init__(self) -> None:
        self._words: dict[tuple[str, str], str] = {}
        self._taken: set[tuple[str, str]] = set()
        self._opened: set[str] = set()

    def account(self, move: Move) -> str:
        """The account that a move goes to."""
        place = self._below("Inference", move.provider, UNKNOWN)
        place = self._below(place, move.account, UNKNOWN)
        if move.part == "billed":
            return f"Liabilities:{place}"
        place = self._below(place, move.service or "", UNASSIGNED)
        return f"Expenses:{place}:{PARTS[move.part]}"

    def newly(self, account: str) -> bool:
        """Whether this is the first time that the account is asked about."""
        new = account not in self._opened
        self._opened.add(account)
        return new

    def _below(self, parent: str, name: str, otherwise: str) -> str:
        """The account under `parent` for `name`; `otherwise` for no name at all, and for nothing else."""
        key = (parent, name)
        if key not in self._words:
            word = component(name) if name else otherwise
            if name and (word in {UNKNOWN, UNASSIGNED} or (parent, word) in self._taken):
                word = f"{word}-{hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_CHARS]}"
            self._words[key] = word
            self._taken.add((parent, word))
        return f"{parent}:{self._words[key]}"


def component(name: str) -> str:
    """`name` as one part of a Beancount account: "gcp.vertex_ai" is "Gcp-vertex-ai"."""
    word = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
    return word[:1].upper() + word[1:] if word else "X"


def commodity(currency: str) -> str:
    """`currency` as Beancount writes it: capital letters, digits and marks, two characters or more."""
    word = re.sub(r"[^A-Z0-9]+", "-", currency.upper()).strip("-")[:24].rstrip("-")
    return word if re.fullmatch(r"[A-Z][A-Z0-9-]*[A-Z0-9]", word) else f"X-{word or 'X'}"[:24]


def amount(nano: int) -> str:
    """`nano` nano-units with all nine decimals: 1500000000 is "1.500000000"."""
    whole, rest = divmod(abs(nano), NANO_PER_UNIT)
    return f"{'-' if nano < 0 else ''}{whole}.{rest:09d}"


def write(
    connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any], sink: BinaryIO, *, show: Progress = unwatched
) -> int:
    """Write the journal of what was known by `values["now_us"]` to `sink`; how many transactions it has."""
    sink.write(_HEAD.format(currency=commodity(str(values["currency"]))).encode())
    chart, held, entries, last_day_us = Chart(), dict[tuple[str, str], int](), 0, int(values["now_us"])
    moved = map(Move._make, dialect.streamed(connection, PACKAGE, "journal_posting", values))
    for _, found in groupby(moved, key=lambda move: move[:7]):
        moves = list(found)
        sink.write("".join(_entry(moves, chart)).encode())
        entries += 1
        show(entries)
        last_day_us = max(last_day_us, moves[0].day_at_us)
        for move in moves:
            held.setdefault((chart.account(move), move.currency), 0)
    for row in dialect.run(connection, PACKAGE, "journal_balance", values):
        provider, account, currency, service, part, nano = row
        move = Move(0, 0, 0, False, provider, account, currency, service, part, int(nano))
        held[chart.account(move), currency] = move.nano
    sink.write(_TAIL.format(as_of=instant_text(int(values["now_us"]))).encode())
    day = _day(last_day_us, more_days=1)
    for (account, currency), nano in held.items():
        sink.write(f"{day} balance {account}  {amount(nano)} ~ 0 {commodity(currency)}\n".encode())
    return entries


def _entry(moves: list[Move], chart: Chart) -> Iterator[str]:
    """One transaction, after the accounts that it is the first to use."""
    first = moves[0]
    yield "\n"
    for move in moves:
        account = chart.account(move)
        if chart.newly(account):
            yield f"{OPENED} open {account}\n"
            yield from _named(move)
    usage_day = _day(first.day_at_us)
    what, tag, day = f"Inference of {usage_day}, settled", "", usage_day
    if first.corrects:
        what, tag, day = f"Inference of {usage_day}, corrected", " #correction", _day(first.recorded_at_us)
    payee = text(first.provider or "unknown provider")
    yield f"{day} * {payee} {text(what)} #orphaned-inference{tag}\n"
    yield f"  usage-day: {usage_day}\n"
    yield f"  recorded-at: {text(instant_text(first.recorded_at_us))}\n"
    for move in moves:
        yield f"  {chart.account(move)}  {amount(move.nano)} {commodity(move.currency)}\n"


def _named(move: Move) -> Iterable[str]:
    """The names as the logs and the bill have them, where the account's own had to be spelt otherwise."""
    names = {"provider": move.provider, "account": move.account}
    if move.part != "billed":
        names["service"] = move.service or ""
    return (f"  {key}: {text(name)}\n" for key, name in names.items() if name)


def text(words: str) -> str:
    """`words` as a string of Beancount, on one line."""
    plain = "".join(character if character.isprintable() else " " for character in words)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _day(at_us: int, *, more_days: int = 0) -> str:
    """The UTC day of an instant, or one some days after it."""
    return (datetime.fromtimestamp(at_us // 1_000_000, UTC).date() + timedelta(days=more_days)).isoformat()
