"""Correlation by id: which abort belongs to which completion. The steps are the .sql files, in this order.

In: what the ledger holds beyond `from_batch`, and the observers (a temporary table). Out: the temporary tables
`new_suspect`, `active_suspect`, `match_changed` and `match_touched`, and the state tables suspect, open_call and
chosen_match. This room knows no price and no bill.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from collector.correlate.choose import choose, costs_of
from collector.ledger import dialect

PACKAGE = "collector.correlate"
DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000
LASTING_US = 2 * HOUR_US  # a call that lasts longer takes no part in the race
AFTER_US = 480_000_000  # after its call was left; what finished later scores too low, however well all else fits
SILENT_US = 6 * HOUR_US
BUNCH_SUSPECTS = 20_000
CANDIDATES_MAX = 50  # completions of unknown receipt that one abandoned call may be

CALLS = (
    "half_call", "met_half", "reappeared", "reappeared_problem", "suspect_drop",
    "open_call_met", "dangling_met", "open_call_new",
    "dangling_new", "reappeared_close", "overdue", "overdue_extent", "overdue_call", "lost_end", "lost_end_close",
    "lone_end", "met_extent", "new_suspect", "suspect_put", "open_call_suspected",
)  # fmt: skip
IDS = (
    "active_extent", "active_suspect", "node_extent", "node", "candidate_extent", "candidate", "pair", "link",
    "matched_empty",
)  # fmt: skip
HOURS = (
    "rival_gone", "claim_gone", "changed_suspect", "touched_at", "roam_extent", "hour_wanted", "wanted_extent",
    "probable_hour", "end_moved_empty",
)  # fmt: skip
START = ("race_hour", "unjoined_suspect", "hour_cut", "lone_suspect", "delay_model", "free_completion")
MEET = (
    "unreceived", "near_completion", "rival_met", "rival_call", "contender", "owned", "fold", "racer", "meeting",
    "edge",
)  # fmt: skip
# Where some log does not tell when its completions were received, each of these is followed by its twin.
AT_END = {
    "lone_suspect": "foreign_suspect", "free_completion": "foreign_completion", "near_completion": "near_at_end",
    "rival_met": "rival_met_at_end", "meeting": "meeting_at_end",
}  # fmt: skip
PROBABLE = (
    "scored_edge", "claim_new", "roamer", "claim_drop", "claim_drawn", "claim_put", "probable_touched",
    "probable_drop", "probable_put", "probable_alone", "probable_touched", "probable_active", "rival_drop", "rival_put",
    "delay_drop", "delay_put", "end_drawn", "end_moved", "end_drop", "end_put",
)  # fmt: skip
MATCHES = ("match_changed", "match_before", "match_moved", "match_touched", "match_drop", "match_put")


def correlate(
    connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any], observers_by_hop: Sequence[str]
) -> None:
    """Find new suspects and choose a completion for each that may have one; `observers_by_hop` inner first."""
    newest = connection.execute("SELECT coalesce(max(suspect_no), 0) FROM suspect").fetchall()[0][0]
    bound = {**values, "suspect_no": newest, "window_us": DAY_US, "skirt_us": HOUR_US}
    bound = dict(dialect.steps(connection, PACKAGE, CALLS + IDS, bound))
    # Inner observers first, because outer ones may find their completion only through them; then back again.
    for source in [*observers_by_hop, *reversed(observers_by_hop[:-1])]:
        _match(connection, {**bound, "source": source})
    dialect.steps(connection, PACKAGE, MATCHES, bound)
    _race(connection, {**bound, "reach_us": max(int(values["skew_us"]), 100_000)})


def _match(connection: duckdb.DuckDBPyConnection, bound: Mapping[str, Any]) -> None:
    """Match the calls of one observer: what has no rival in SQL, the rest by the exact one-to-one choice."""
    if not dialect.count(connection, PACKAGE, "allowed", bound):
        return
    dialect.run(connection, PACKAGE, "matched_plain")
    contested = dialect.run(connection, PACKAGE, "contested")
    if contested:
        pairs = choose(costs_of(contested))
        choice = pa.table({
            "node_no": pa.array([node for node, _ in pairs], pa.int64()),
            "completion_no": pa.array([completion for _, completion in pairs], pa.int64()),
        })  # fmt: skip
        connection.register("choice", choice)
        dialect.run(connection, PACKAGE, "matched_put")
        connection.unregister("choice")


def _race(connection: duckdb.DuckDBPyConnection, bound: Mapping[str, Any]) -> None:
    """Match by time and size what no id has joined; `reach_us` is how far receipt and start may lie apart."""
    bound = {**bound, "margin_us": max(MINUTE_US, 4 * int(bound["reach_us"])), "lasting_us": LASTING_US}
    bound["after_us"] = AFTER_US
    dialect.steps(connection, PACKAGE, HOURS, bound)
    hours = connection.execute("SELECT hour_at_us, suspects FROM probable_hour ORDER BY hour_at_us").fetchall()
    for from_us, last_us in bunches(hours):
        _race_bunch(connection, {**bound, **_extent(from_us, last_us + HOUR_US, bound["margin_us"])})


def _extent(from_us: int, to_us: int, margin_us: int) -> dict[str, int]:
    """The hours that are raced, and wherever lines of theirs may lie: as constants, so that others stay unread."""
    around_us = LASTING_US + AFTER_US + 2 * margin_us
    return {
        "race_from_us": from_us, "race_to_us": to_us,
        "scan_from_us": from_us - around_us, "scan_to_us": to_us + around_us,
    }  # fmt: skip


def bunches(hours: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The first and the last of the hours that are raced together, given (hour, suspects) in order of time.

    A bunch bounds what lies in memory, and holds no long silence, whose records would be looked through for nothing.
    """
    found: list[tuple[int, int]] = []
    held = 0
    for hour_at_us, suspects in hours:
        if found and held + suspects <= BUNCH_SUSPECTS and hour_at_us - found[-1][1] <= SILENT_US:
            found[-1] = (found[-1][0], hour_at_us)
            held += suspects
        else:
            found.append((hour_at_us, hour_at_us))
            held = suspects
    return found


def _race_bunch(connection: duckdb.DuckDBPyConnection, bound: Mapping[str, Any]) -> None:
    """Draw the matches of some hours again; an hour's result does not depend on which others are in the bunch."""
    unreceived = dialect.count(connection, PACKAGE, "unreceived_near", bound)
    for step in START + MEET:
        dialect.run(connection, PACKAGE, step, bound)
        if unreceived and step in AT_END:
            dialect.run(connection, PACKAGE, AT_END[step], {**bound, "candidates": CANDIDATES_MAX})
    connection.register("score", _scored(connection.execute(dialect.sql(PACKAGE, "edge_column")).fetchnumpy()))
    dialect.steps(connection, PACKAGE, PROBABLE, bound)
    connection.unregister("score")


def _scored(edges: Mapping[str, Any]) -> pa.Table:
    """The edges' numbers with their terms, probabilities and the choice; numpy is loaded only where there are any."""
    if len(edges["attempt_no"]):
        from collector.correlate.probable import score

        scored = score(edges)
        found = {
            "start_term": scored.start, "end_term": scored.end, "size_term": scored.size, "kind_term": scored.kind,
            "weight": scored.weight, "probability": scored.probability, "chosen": scored.chosen,
            "end_shift": scored.end_shift,
        }  # fmt: skip
    else:
        found = {name: pa.array([], pa.float64()) for name in _TERMS} | {"chosen": pa.array([], pa.bool_())}
    numbers = {name: pa.array(edges[name], pa.int64()) for name in ("attempt_no", "completion_no")}
    return pa.table({**numbers, **found})


_TERMS = ("start_term", "end_term", "size_term", "kind_term", "weight", "probability", "end_shift")
