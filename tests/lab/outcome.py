"""One whole run of the lab, and what everybody wrote about each cell, put side by side.

In: a directory. Out: `Seen` by cell: the truth, nginx's line, the client's two lines, and the collector's verdicts.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import books, collecting, played
from tests.lab.cells import Cell
from tests.lab.edge import LOG
from tests.lab.played import Played
from tests.lab.stage import CALLS_LOG, play

Line = dict[str, Any]
TRUTH = "played.json"


@dataclass(frozen=True, slots=True)
class Seen:
    """One cell. `ended` is None where the client wrote no such line; verdicts by observer (`app`, `edge`)."""

    played: Played
    nginx: Line
    started: Line
    ended: Line | None
    verdicts: dict[str, Line]


def run(room: Path, cells: Sequence[Cell]) -> None:
    """Play the cells, have the provider write its log and its bill, and the collector read it all."""
    told = asyncio.run(play(room, cells))
    books.write(room, told)
    last_us = max(one.finished_us for one in told)
    collecting.collect(room, last_us, "verdicts", "reconciliation", "problems")
    collecting.collect(room, last_us, "verdicts", config=books.CONFIG_WITHOUT_CLIENT)
    played.keep(room / TRUTH, told)


def seen(room: Path) -> dict[str, Seen]:
    """Every cell that has been played in the room, by name.

    nginx's lines are known by the path, the client's by the id that nginx says it was sent.
    """
    truth = played.kept(room / TRUTH)
    by_path = {line["request_uri"].split("/")[1]: line for line in lines(room / LOG)}
    calls = lines(room / CALLS_LOG)
    started = {line["request_id"]: line for line in calls if line["event"] == "started"}
    ended = {line["call_id"]: line for line in calls if line["event"] == "ended"}
    verdicts: dict[str, dict[str, Line]] = {}
    for row in collecting.rows(room, "verdicts"):
        verdicts.setdefault(row["completion_id"], {})[row["observer"]] = row
    found = {}
    for one in truth:
        line = by_path[one.cell.name]
        start = started[line["http_x_request_id"]]
        end = ended.get(start["call_id"])
        found[one.cell.name] = Seen(one, line, start, end, verdicts.get(one.completion_id, {}))
    return found


def lines(path: Path) -> list[Line]:
    """The lines of a log, parsed."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
