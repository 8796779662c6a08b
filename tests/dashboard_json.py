"""The committed dashboards as their readers see them: panels, queries, and variables filled in."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.dashboard_books import Chosen

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "dashboards" / "grafana"
FILES = tuple(sorted(path.name for path in FOLDER.glob("*.json")))
Board = dict[str, Any]


@dataclass(frozen=True)
class Query:
    """One query of one panel."""

    file: str
    title: str
    ref: str
    expr: str


def board(file: str) -> Board:
    """One committed dashboard, with its file's name under `file`."""
    loaded: Board = json.loads((FOLDER / file).read_text(encoding="utf-8"))
    return loaded | {"file": file}


def panels(shown: Board) -> list[dict[str, Any]]:
    """Every panel that draws something."""
    return [panel for panel in shown["panels"] if panel["type"] != "row"]


def queries(shown: Board) -> Iterator[Query]:
    """Every query of a dashboard's panels."""
    for panel in panels(shown):
        for target in panel["targets"]:
            yield Query(shown["file"], panel["title"], target["refId"], target["expr"])


def filled(query: str, chosen: Chosen, *, span: str = "7d") -> str:
    """`query` as Prometheus gets it from Grafana; spans that are fixed in a query become `span` too."""
    values = {
        "$__rate_interval": span, "$__range": span, "[1d]": f"[{span}]", "[1h]": f"[{span}]",
        "offset 7d": f"offset {span}",
        "$currency": chosen.currency, "$window": chosen.window, "$provider": ".*",
        "$model": chosen.model or ".*", "$service": chosen.service or ".*",
    }  # fmt: skip
    for variable, text in values.items():
        query = query.replace(variable, text)
    return query
