"""The dashboard: built and committed agree, and every query is PromQL over metrics that exist."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.exporters.catalogue import series_names
from tests.promql import metric_names

ROOT = Path(__file__).parents[1]
COMMITTED = ROOT / "dashboards" / "orphaned-inference.json"
# What Grafana puts in before Prometheus sees the query.
GRAFANA = {"$__rate_interval": "5m", "$__range": "7d", "$currency": "USD"}


def dashboard() -> dict[str, Any]:
    """The committed dashboard."""
    loaded: dict[str, Any] = json.loads(COMMITTED.read_text(encoding="utf-8"))
    return loaded


def queries(board: dict[str, Any]) -> Iterator[str]:
    """Every query of a dashboard, with Grafana's own variables filled in; label_values() by its metric."""
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel.get("targets", []))
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"].removeprefix("label_values(").split(",")[0]


def filled(query: str) -> str:
    """`query` as Prometheus gets it."""
    for variable, text in GRAFANA.items():
        query = query.replace(variable, text)
    return query


def unknown_metrics(board: dict[str, Any]) -> set[str]:
    """Metrics that the dashboard names and nobody exposes or records."""
    groups = yaml.safe_load((ROOT / "rules" / "recording.yaml").read_text(encoding="utf-8"))["groups"]
    recorded = {rule["record"] for group in groups for rule in group["rules"]}
    named = {name for query in queries(board) for name in metric_names(filled(query))}
    return named - series_names() - recorded


def panels() -> list[dict[str, Any]]:
    """Every panel that draws something."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def test_built_is_committed() -> None:
    """The committed JSON is what build.py builds; if not, run `python -m dashboards.build`."""
    build = pytest.importorskip("dashboards.build")
    assert build.build() == COMMITTED.read_text(encoding="utf-8")


def test_the_builder_knows_every_key() -> None:
    """Read into the builder's own types and written again, nothing is lost: no key is misspelt."""
    models = pytest.importorskip("grafana_foundation_sdk.models.dashboard")
    encoder = pytest.importorskip("grafana_foundation_sdk.cog.encoder")
    plugins = pytest.importorskip("grafana_foundation_sdk.cog.plugins")
    plugins.register_default_plugins()
    again = models.Dashboard.from_json(dashboard())
    assert json.loads(json.dumps(again, cls=encoder.JSONEncoder)) == dashboard()


def test_every_metric_exists() -> None:
    """Every query parses, and names only metrics of the catalogue or of the recording rules."""
    assert len(list(queries(dashboard()))) > 15
    assert unknown_metrics(dashboard()) == set()


def test_a_misspelt_metric_is_found() -> None:
    """The check bites: one wrong letter in one query is reported."""
    text = COMMITTED.read_text(encoding="utf-8").replace("window_avoidable_spend", "window_avoidabel_spend")
    assert unknown_metrics(json.loads(text)) == {"orphaned_inference_window_avoidabel_spend"}


def test_a_broken_query_is_found() -> None:
    """The check bites: what is no PromQL is an error."""
    with pytest.raises(ValueError, match="unexpected end"):
        metric_names("sum(orphaned_inference_window_spend{")


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: str(panel["title"]))
def test_every_panel_explains_itself(panel: dict[str, Any]) -> None:
    """Each panel has a title, a description and the datasource variable; ids and places are its own."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


@pytest.mark.parametrize("query", sorted(set(queries(dashboard()))))
def test_money_is_never_summed_across_currencies(query: str) -> None:
    """Every query over money picks the one currency of the variable."""
    money = [name for name in metric_names(filled(query)) if "spend" in name]
    if money and query not in money:
        assert query.count('currency="$currency"') >= len(money)
