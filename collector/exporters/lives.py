"""Which calls and completions an id leads to, put together into lives: one attempt each.

An id and a connection to the ledger come in; `Life`s go out, made of its rows (dicts by column name). What
the correlation chose is taken as it is; calls that it had no reason to judge (they were delivered) are put
beside what shares an id with them. Nothing is judged here.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from collector.ledger import dialect

PACKAGE = "collector.exporters"
ROWS_MAX = 200  # of each kind: an id that everything shares explains nothing
ROUNDS_MAX = 3

Row = Mapping[str, Any]
Key = tuple[Hashable, ...]


@dataclass(slots=True)
class Call:
    """One observer's call: its lines, oldest first, and what was chosen for it (on every line alike)."""

    lines: list[Row]

    @property
    def first(self) -> Row:
        """The line that says most about the call: the started one, if there is any."""
        return next((line for line in self.lines if line["event"] != "ended"), self.lines[0])

    @property
    def last(self) -> Row | None:
        """The line that tells the end, if there is one."""
        return next((line for line in self.lines if line["event"] != "started"), None)

    def ids(self, name: str) -> set[str]:
        """All values of one id on the call's lines."""
        return {line[name] for line in self.lines if line[name]}

    def spans(self) -> set[str]:
        """Trace and span, where both are known."""
        return {f"{one['trace_id']}/{one['span_id']}" for one in self.lines if one["trace_id"] and one["span_id"]}

    def bears(self, wanted: str) -> bool:
        """Whether any id of the call is `wanted`."""
        names = ("call_id", "request_id", "received_request_id", "response_id")
        return any(wanted in self.ids(name) for name in names) or wanted.lower() in self.ids("trace_id")


@dataclass(slots=True)
class Life:
    """One attempt: the calls of its observers, outermost first, and the completions that belong to it."""

    calls: list[Call] = field(default_factory=list)
    completions: list[Row] = field(default_factory=list)


def lives_of(connection: duckdb.DuckDBPyConnection, wanted: str) -> list[Life]:
    """Every life that the id `wanted` stands in, the earliest first; none if the ledger does not know it."""
    asked = {"id": wanted, "rows_max": ROWS_MAX}
    calls = _calls(connection, rows(connection, "life_call_seed", asked))
    completions = _completions(connection, rows(connection, "life_completion_seed", asked))
    for _ in range(ROUNDS_MAX):
        before = len(calls) + len(completions)
        told = _told(calls.values(), completions.values())
        calls = _calls(connection, [*map(_call_name, calls.values()), *rows(connection, "life_call_linked", told)])
        told = _told(calls.values(), completions.values())
        found = rows(connection, "life_completion_linked", told)
        completions = _completions(connection, [*completions.values(), *found])
        if len(calls) + len(completions) == before:
            break
    lives = _grouped(calls, completions)
    return sorted((life for life in lives if _bears(life, wanted)), key=_started_at_us)


def rows(connection: duckdb.DuckDBPyConnection, name: str, values: Mapping[str, Any]) -> list[Row]:
    """The rows of one .sql file beside this module, by column name."""
    return dialect.records(connection, PACKAGE, name, values)


def joined_by(call: Call, completion: Row) -> str:
    """Which id both sides have, the first that counts; empty if they met through another observer."""
    if completion["request_id"] and completion["request_id"] in call.ids("request_id"):
        return "request_id"
    if completion["request_id"] and completion["request_id"] in call.ids("received_request_id"):
        return "request_id (as the proxy received it)"
    if _span(completion) in call.spans():
        return "trace_id and span_id"
    if completion["response_id"] and completion["response_id"] in call.ids("response_id"):
        return "response_id"
    return ""


def _calls(connection: duckdb.DuckDBPyConnection, names: Sequence[Row]) -> dict[Key, Call]:
    """The calls of these sources and ids, with all their lines."""
    lists = {"sources": [row["source"] for row in names], "call_ids": [row["call_id"] for row in names]}
    calls: dict[Key, Call] = {}
    for line in rows(connection, "life_call", lists) if names else []:
        at_us = line["at_us"] if line["event"] == "whole" else None
        calls.setdefault((line["source"], line["call_id"], at_us), Call([])).lines.append(line)
    return calls


def _completions(connection: duckdb.DuckDBPyConnection, names: Sequence[Row]) -> dict[Key, Row]:
    """The completions of these keys, whole."""
    lists = {
        "providers": [row["provider"] for row in names], "accounts": [row["account"] for row in names],
        "completion_ids": [row["completion_id"] for row in names],
        "instants_us": [row["finished_at_us"] for row in names],
    }  # fmt: skip
    found = rows(connection, "life_completion", lists) if names else []
    return {_completion_key(row): row for row in found}


def _completion_key(row: Row) -> Key:
    return row["provider"], row["account"], row["completion_id"], row["finished_at_us"]


def _call_name(call: Call) -> Row:
    return {"source": call.first["source"], "call_id": call.first["call_id"]}


def _told(calls: Iterable[Call], completions: Iterable[Row]) -> dict[str, Any]:
    """Every id of what has been found so far."""
    known, found = list(calls), list(completions)
    requests = {i for call in known for name in ("request_id", "received_request_id") for i in call.ids(name)}
    responses = {i for call in known for i in call.ids("response_id")}
    spans = {span for call in known for span in call.spans()}
    return {
        "sources": [call.first["source"] for call in known],
        "call_ids": [call.first["call_id"] for call in known],
        "completion_ids": [row["completion_id"] for row in found],
        "request_ids": sorted(requests | {row["request_id"] for row in found if row["request_id"]}),
        "response_ids": sorted(responses | {row["response_id"] for row in found if row["response_id"]}),
        "spans": sorted(spans | {_span(row) for row in found if _span(row)}),
        "rows_max": ROWS_MAX,
    }


def _span(row: Row) -> str:
    return f"{row['trace_id']}/{row['span_id']}" if row["trace_id"] and row["span_id"] else ""


# Putting together --------------------------------------------------------------------------------------


def _grouped(calls: Mapping[Key, Call], completions: Mapping[Key, Row]) -> list[Life]:
    """The lives: what was matched stands together, and the rest stands with the nearest that shares an id."""
    heads: dict[Key, Key] = {key: key for key in (*calls, *completions)}
    for one, other in _ties(calls, completions):
        heads[_head(heads, one)] = _head(heads, other)
    lives: dict[Key, Life] = {}
    for key, call in calls.items():
        lives.setdefault(_head(heads, key), Life()).calls.append(call)
    for key, completion in completions.items():
        lives.setdefault(_head(heads, key), Life()).completions.append(completion)
    for life in lives.values():
        life.calls.sort(key=lambda call: (-(call.first["hop"] or 0), call.first["at_us"]))
    return list(lives.values())


def _head(heads: Mapping[Key, Key], key: Key) -> Key:
    """The one that stands for all that `key` is tied to."""
    while heads[key] != key:
        key = heads[key]
    return key


def _ties(calls: Mapping[Key, Call], completions: Mapping[Key, Row]) -> Iterator[tuple[Key, Key]]:
    """Pairs that belong to one attempt."""
    suspects = {c.first["suspect_no"]: key for key, c in calls.items() if c.first["suspect_no"]}
    taken: set[Key] = set()
    for key, call in calls.items():
        for partner in _chosen(call, suspects, completions):
            taken.add(partner)
            yield key, partner
    free = {key: completion for key, completion in completions.items() if key not in taken}
    for key, call in calls.items():
        if call.first["suspect_no"] and call.first["chosen_completion_id"]:
            continue
        for partner in _nearest(key, call, calls, free):
            yield key, partner


def _chosen(call: Call, suspects: Mapping[int, Key], completions: Mapping[Key, Row]) -> list[Key]:
    """What the correlation put this call with: its completion, or its attempt's outermost observer."""
    line = call.first
    names = ("provider", "account", "completion_id", "finished_at_us")
    key = tuple(line[f"chosen_{name}"] for name in names)
    attempt = suspects.get(line["attempt_no"])
    return [one for one in (key, attempt) if one is not None and (one in completions or one == attempt)]


def _nearest(key: Key, call: Call, calls: Mapping[Key, Call], completions: Mapping[Key, Row]) -> list[Key]:
    """The nearest other observer's call, and the nearest completion, that share an id with this call."""
    at_us = call.first["started_at_us"] or call.first["at_us"]
    others = [k for k, other in calls.items() if k[0] != key[0] and _linked(call, other)]
    works = [k for k, completion in completions.items() if joined_by(call, completion)]
    other = min(others, key=lambda k: abs((calls[k].first["started_at_us"] or 0) - at_us), default=None)
    work = min(works, key=lambda k: abs(_begun_at_us(completions[k]) - at_us), default=None)
    return [one for one in (other, work) if one is not None]


def _linked(one: Call, other: Call) -> bool:
    """Whether two observers' calls share an id."""
    mine = one.ids("request_id") | one.ids("received_request_id")
    theirs = other.ids("request_id") | other.ids("received_request_id")
    return bool(mine & theirs or one.spans() & other.spans())


def _begun_at_us(completion: Row) -> int:
    return int(completion["received_at_us"] or completion["finished_at_us"])


def _bears(life: Life, wanted: str) -> bool:
    """Whether anything in this life has the id."""
    names = ("completion_id", "request_id", "response_id", "insert_id", "trace_id")
    known = {completion[name] for completion in life.completions for name in names}
    return wanted in known or wanted.lower() in known or any(call.bears(wanted) for call in life.calls)


def _started_at_us(life: Life) -> int:
    return min([*(int(call.first["at_us"]) for call in life.calls), *map(_begun_at_us, life.completions)])
