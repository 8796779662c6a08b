"""Builds dashboards/grafana/*.json: Grafana's classic JSON, which Grafana 11 to 13 import.

Nothing comes in but the modules beside it; one file a dashboard goes out. The built files are committed, so that nobody
needs this script to use them; a test says when they differ. Use: python -m dashboards.build
"""

import json
import sys
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from dashboards import health, overview, trust, where
from dashboards.panels import SOURCE
from dashboards.queries import P

TARGET = Path(__file__).parent / "grafana"
BOARDS: tuple[ModuleType, ...] = (overview, where, trust, health)
TAG = "orphaned-inference"
RUNBOOKS = "/runbooks"  # on Grafana's own host until the variable says otherwise
WINDOWS = ("1d", "7d", "30d", "month")


def build() -> Mapping[str, str]:
    """File name -> the dashboard as JSON text."""
    return {board.FILE: _text(board) for board in BOARDS}


def _text(board: ModuleType) -> str:
    made = dashboard.Dashboard(board.TITLE).uid(board.UID).description(board.TEXT).tags([TAG])
    made = made.time(board.TIME, "now").timezone("utc").refresh("1m").editable()
    made = made.tooltip(models.DashboardCursorSync.CROSSHAIR).links([_siblings()])
    for variable in _variables(board.VARIABLES):
        made = made.with_variable(variable)
    ids = count(1)
    for title, panels in board.ROWS:
        made = made.with_row(dashboard.Row(title).id(next(ids)))
        for panel in panels:
            made = made.with_panel(panel.id(next(ids)))
    plain = json.loads(json.dumps(made.build(), cls=JSONEncoder))
    return json.dumps(_without_leftovers(plain), indent=2, sort_keys=True) + "\n"


def _without_leftovers(board: dict[str, Any]) -> dict[str, Any]:
    """`board` without what the builders write of their own accord and Grafana's types do not know (any more)."""
    for variable in board["templating"]["list"]:
        for name in ("auto", "auto_count", "auto_min"):
            variable.pop(name, None)
    for panel in board["panels"]:
        if panel["type"] == "table":
            panel["options"].pop("footer", None)
    return board


def _siblings() -> Any:
    """Links to the other dashboards, which keep what was chosen."""
    links = dashboard.DashboardLink("Orphaned inference").type(models.DashboardLinkType.DASHBOARDS).tags([TAG])
    return links.include_vars(True).keep_time(False).as_dropdown(False)


def _variables(names: tuple[str, ...]) -> list[Any]:
    """The data source, and what else can be chosen here: no dashboard has a variable that changes nothing on it."""
    known = {
        "currency": _currency(),
        "runbooks": dashboard.TextBoxVariable("runbooks").label("Runbooks at").default_value(RUNBOOKS),
        "window": _window(),
        "provider": _filter("provider", "Provider", f"label_values({P}window_lost_spend, provider)"),
        "model": _filter("model", "Model", f'label_values({P}window_lost_spend{{provider=~"$provider"}}, model)'),
        "service": _filter("service", "Service", f"label_values({P}window_lost_spend, service_name)"),
    }
    source = dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    return [source, *(known[name] for name in names)]


def _currency() -> Any:
    """One currency: amounts of different ones are never added up."""
    made = _asked("currency", "Currency", f"label_values({P}window_spend, currency)")
    return made.multi(False).include_all(False)


def _filter(name: str, label: str, query: str) -> Any:
    """One, several or all values of a label."""
    return _asked(name, label, query).multi(True).include_all(True).all_value(".*").current(
        models.VariableOption(selected=True, text="All", value="$__all")
    )  # fmt: skip


def _asked(name: str, label: str, query: str) -> Any:
    made = dashboard.QueryVariable(name).label(label).datasource(SOURCE).query(query)
    made = made.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
    return made.sort(models.VariableSort.ALPHABETICAL_ASC)


def _window() -> Any:
    """The period of the gauges that are windows."""
    options = [models.VariableOption(selected=window == "7d", text=window, value=window) for window in WINDOWS]
    made = dashboard.CustomVariable("window").label("Period").values(",".join(WINDOWS)).options(options)
    return made.current(options[WINDOWS.index("7d")]).multi(False).include_all(False)


def main() -> int:
    """Writes the files and returns the exit code."""
    TARGET.mkdir(exist_ok=True)
    for name, text in build().items():
        (TARGET / name).write_text(text, encoding="utf-8")
        print(f"wrote {TARGET / name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
