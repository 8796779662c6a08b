"""Chains of attempts: which later call superseded an abort or a failed call. The steps are the .sql files.

In: the temporary tables `new_suspect` and `reappeared` that `correlate` left, and the calls beyond
`from_batch`. Out: the temporary table `retry_changed`, and the state behind it (retry_candidate, retry_link,
retry_current). Both calls are always one observer's. What is taken as a retry, the surest first: a call that
names the other (`retry_of`); one whose SDK counts one retry more (`retry_count`); one under the same request
id; one of the same kind and size that starts within the back-off of the SDKs. It refuses to guess where no
size is known, or where such calls were coming anyway.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import pyarrow as pa

from collector.ledger import dialect

PACKAGE = "collector.correlate"
REACH = {
    "window_us": 86_400_000_000,  # a retry that names its predecessor comes within a day
    "backoff_us": 10_000_000,  # the SDKs of OpenAI and Anthropic wait at most 8 s, and the call itself starts
    "retry_after_us": 60_000_000,  # the longest Retry-After that they obey
    "rivals_max": 8,  # calls considered for one suspect
}

FIND = (
    "retry_touched", "retry_suspect", "retry_near_extent", "retry_near", "retry_alike", "retry_edge", "retry_open",
)  # fmt: skip
OPEN = ("retry_candidate_drop", "retry_candidate_put", "retry_order")
KEEP = ("retry_changed", "retry_put", "retry_current_drop", "retry_current_put")

_CHOICE = pa.schema([("edge_no", pa.int64()), ("chain_no", pa.int64()), ("attempt", pa.int64())])

Wish = tuple[int, int, int, int | None]  # edge_no, suspect_no, call_no, that call's own suspect_no


def chain(connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any]) -> None:
    """Choose the next attempt again for what something new touches; `values` as for `correlate`."""
    bound = dialect.steps(connection, PACKAGE, FIND, {**values, **REACH})
    while dialect.count(connection, PACKAGE, "retry_spread", bound):
        pass
    dialect.steps(connection, PACKAGE, OPEN, bound)
    links = placed(dialect.run(connection, PACKAGE, "retry_wish"))
    connection.register("retry_choice", pa.Table.from_pylist(links, schema=_CHOICE))
    dialect.steps(connection, PACKAGE, KEEP, bound)
    connection.unregister("retry_choice")


def placed(wishes: Iterable[Wish]) -> list[dict[str, int]]:
    """The edges chosen one to one, first come first served, with the chain's first suspect and the place.

    A call comes after the suspect that it supersedes, so chains have no loops.
    """
    taken: set[int] = set()
    chosen: dict[int, Wish] = {}
    for wish in wishes:
        _, suspect_no, call_no, _ = wish
        if suspect_no not in chosen and call_no not in taken:
            chosen[suspect_no] = wish
            taken.add(call_no)
    followers = {wish[3] for wish in chosen.values()}
    return [
        {"edge_no": chosen[suspect_no][0], "chain_no": first, "attempt": attempt}
        for first in chosen
        if first not in followers
        for attempt, suspect_no in enumerate(_from(first, chosen), 1)
    ]


def _from(suspect_no: int | None, chosen: Mapping[int, Wish]) -> Iterable[int]:
    """The superseded attempts of a chain, from this one on."""
    while suspect_no is not None and suspect_no in chosen:
        yield suspect_no
        suspect_no = chosen[suspect_no][3]
