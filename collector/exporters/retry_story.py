"""The attempts before and after a call, in plain sentences for `orphaned explain`.

A connection and a suspect, or an observer's call, come in; sentences go out. Which call superseded which is
read from the ledger as the correlation chose it; nothing is matched or priced here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb

from collector.ledger import dialect
from collector.money import text_from_nano

PACKAGE = "collector.exporters"
SECOND_US = 1_000_000

_HOW = {
    "retry_of": "its log names the call before it",
    "retry_count": "its SDK counts one retry more",
    "same id": "the same request id",
    "time and size": "the same kind and size, within the back-off of the SDKs",
}

Link = Mapping[str, Any]


def retries_of(connection: duckdb.DuckDBPyConnection, suspect_no: int) -> list[str]:
    """What the suspect was a retry of, and what it was retried as; empty where neither is known."""
    sentences: list[str] = []
    for link in _links(connection, "retry_story", {"suspect_no": suspect_no}):
        sentences += _after(link) if link["is_after"] else [_before(link)]
    return sentences


def superseded_by(connection: duckdb.DuckDBPyConnection, source: str, call_id: str) -> list[str]:
    """The same for a call that is no suspect (it was delivered): which attempts it superseded."""
    wanted = {"source": source, "call_id": call_id}
    return [_before(link) for link in _links(connection, "retry_superseded", wanted)]


def _links(connection: duckdb.DuckDBPyConnection, name: str, values: Mapping[str, Any]) -> list[Link]:
    return dialect.records(connection, PACKAGE, name, values)


def _before(link: Link) -> str:
    return (
        f"It was itself a retry, attempt {link['attempt'] + 1} of its chain: it came "
        f"{_wait(link['gap_us'])} after {link['call_id']} ({link['evidence']}: {_HOW[link['evidence']]})."
    )


def _after(link: Link) -> Iterator[str]:
    when = _wait(link["gap_us"]) + (" later" if link["ended_at_us"] is not None else " after its start")
    known = f" as {link['next_call_id']} ({link['evidence']}: {_HOW[link['evidence']]})"
    yield f"This call was retried {when}{known}, which {_fate(link)}{_paid(link)}."
    if link["money_row"] and link["verdict"] in {"orphaned", "cut_short"} and link["orphaned_nano"]:
        yield f"Spent on the superseded attempt: {link['currency']} {text_from_nano(link['orphaned_nano'])}."


def _fate(link: Link) -> str:
    """What became of the later call."""
    if link["next_outcome"] == "delivered":
        return "was delivered"
    if link["next_verdict"] is not None:
        return f"was left as well ({link['next_verdict']})"
    if link["next_outcome"] is None:
        return "has not told its end yet"
    return "failed" if link["next_outcome"] == "failed" else "was left as well"


def _paid(link: Link) -> str:
    """Whether two attempts were paid for one answer; silent where the cost of one is unknown."""
    if link["cost_nano"] is None or not link["money_row"]:
        return ""
    if link["cost_nano"] == 0:
        return ": the first one cost nothing"
    later_paid = link["next_outcome"] == "delivered" or bool(link["next_cost_nano"])
    return ": both were paid" if later_paid else ""


def _wait(gap_us: int) -> str:
    """Seconds, to the millisecond below one second."""
    seconds = gap_us / SECOND_US
    return f"{seconds:.1f} s" if gap_us >= SECOND_US else f"{seconds:.3f} s"
