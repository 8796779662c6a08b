"""The dashboards as files: built and committed agree, and each keeps the rules that make it readable and importable."""

import json
import re
from collections import Counter
from itertools import combinations
from typing import Any

import jsonschema
import pytest

from collector.exporters.catalogue import BY_NAME, PREFIX, series_names
from tests.dashboard_books import Chosen
from tests.dashboard_json import FILES, FOLDER, ROOT, Board, board, filled, panels, queries
from tests.promql import metric_names

BOARDS = [board(file) for file in FILES]
PANELS = [(shown["file"], panel) for shown in BOARDS for panel in panels(shown)]
each_board = pytest.mark.parametrize("shown", BOARDS, ids=lambda shown: str(shown["file"]))
each_panel = pytest.mark.parametrize(
    "panel", [panel for _, panel in PANELS], ids=[f"{f}: {p['title']}" for f, p in PANELS]
)
SCHEMA = jsonschema.Draft7Validator(
    json.loads((ROOT / "tests" / "golden" / "grafana-dashboard.schema.json").read_text(encoding="utf-8"))
)
DRAWN = {"stat", "bargauge", "timeseries", "table"}  # what the viewer can draw, and any Grafana
OUR_OWN = {"__range", "__rate_interval", "__field", "__url_time_range"}  # Grafana's variables, always there


def asked(shown: Board) -> list[str]:
    """Every expression of a dashboard: of its panels and, by its metric, of its variables."""
    labels = [v["query"] for v in shown["templating"]["list"] if v["type"] == "query"]
    metrics = [query.removeprefix("label_values(").rsplit(",", 1)[0] for query in labels]
    return [*(query.expr for query in queries(shown)), *metrics]


def unknown_metrics(shown: Board) -> set[str]:
    """Metrics that the dashboard names and nobody exposes. No recording rule is used."""
    named = {name for expr in asked(shown) for name in metric_names(filled(expr, Chosen()))}
    return named - series_names()


def mentioned(shown: Board) -> set[str]:
    """Every variable that a dashboard's panels, links and variables use."""
    text = json.dumps(shown["panels"]) + json.dumps([v.get("query", "") for v in shown["templating"]["list"]])
    text += json.dumps([v.get("datasource", "") for v in shown["templating"]["list"]])
    return {name for pair in re.findall(r"\$(?:\{(\w+)|(\w+))", text) for name in pair if name}


def complaints(shown: Board) -> list[str]:
    """What Grafana's own types say against a dashboard; the schema is made of them, without a key too many allowed."""
    plain = {key: value for key, value in shown.items() if key != "file"}
    return [error.message for error in SCHEMA.iter_errors(plain)]


def money_complaints(expr: str) -> set[str]:
    """Metrics of money that `expr` adds up without picking the one currency."""
    return {
        name
        for name in metric_names(filled(expr, Chosen()))
        if BY_NAME.get(name.removeprefix(PREFIX)) is not None
        and BY_NAME[name.removeprefix(PREFIX)].money
        and not re.search(rf'{name}{{[^}}]*currency="\$currency"', expr)
    }


def test_built_is_committed() -> None:
    """The committed JSON is what build.py builds, and nothing else lies there; else: `python -m dashboards.build`."""
    build = pytest.importorskip("dashboards.build")
    assert build.build() == {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}


@each_board
def test_grafana_knows_every_key(shown: Board) -> None:
    """Every key and value is one of Grafana's own types: of the dashboard, and of each kind of panel."""
    assert complaints(shown) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"displayMode": "basic"', '"displayMode": "basicc"'),  # a value
        ('"colorMode"', '"colourMode"'),  # an option of one kind of panel
        ('"noValue"', '"novalue"'),  # of every field
    ],
)
def test_a_misspelt_key_is_found(right: str, wrong: str) -> None:
    """The check bites, for keys and for values."""
    text = (FOLDER / "overview.json").read_text(encoding="utf-8")
    assert right in text
    assert complaints(json.loads(text.replace(right, wrong)))


@each_board
def test_every_metric_exists(shown: Board) -> None:
    """Every query parses, and names only metrics of the catalogue."""
    assert len(asked(shown)) > 12
    assert unknown_metrics(shown) == set()


def test_a_misspelt_metric_is_found() -> None:
    """The check bites: one wrong letter in one query is reported."""
    text = (FOLDER / "overview.json").read_text(encoding="utf-8")
    wrong = json.loads(text.replace("window_avoidable_spend", "window_avoidabel_spend")) | {"file": "x"}
    assert unknown_metrics(wrong) == {"orphaned_inference_window_avoidabel_spend"}


def test_a_broken_query_is_found() -> None:
    """The check bites: what is no PromQL is an error."""
    with pytest.raises(ValueError, match="unexpected end"):
        metric_names("sum(orphaned_inference_window_spend{")


@each_panel
def test_every_panel_explains_itself(panel: dict[str, Any]) -> None:
    """Each has a title, a description in sentences, a unit, a word for what is unknown, and a kind that is drawn."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert len(panel["description"]) > 40
    assert panel["type"] in DRAWN
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["fieldConfig"]["defaults"]["noValue"] == "unknown"


@each_panel
def test_no_data_source_is_fixed(panel: dict[str, Any]) -> None:
    """Every panel and every query takes the data source of the variable."""
    ours = {"type": "prometheus", "uid": "${datasource}"}
    assert panel["datasource"] == ours
    assert all(target["datasource"] == ours for target in panel["targets"])


@each_panel
def test_nothing_unknown_becomes_zero(panel: dict[str, Any]) -> None:
    """No query falls back on a number that nobody measured, and no gap in time is bridged."""
    for target in panel["targets"]:
        assert not re.search(r"vector\(|\bor\b|absent", target["expr"])
    assert panel["fieldConfig"]["defaults"].get("custom", {}).get("spanNulls", False) is False


@each_panel
def test_numbers_are_of_now(panel: dict[str, Any]) -> None:
    """Numbers, bars and tables ask for this instant: the last of a range would show a dead collector's old figures."""
    over_time = panel["type"] == "timeseries"
    for target in panel["targets"]:
        assert (target.get("range", False), target.get("instant", False)) == (over_time, not over_time)


@each_panel
def test_money_says_its_period_and_its_currency(panel: dict[str, Any]) -> None:
    """A panel of money is of one currency, which stands in its title (a unit cannot have it), with its period."""
    for target in panel["targets"]:
        assert money_complaints(target["expr"]) == set()
    defaults = panel["fieldConfig"]["defaults"]
    if defaults["unit"] == "short" and defaults.get("decimals") == 2:
        assert panel["title"].endswith(", $currency")
        assert re.search(r"month|24 hours|30 days|period \$window|time shown", panel["title"])
        assert "$currency" in "".join(target["expr"] for target in panel["targets"])


def test_money_of_two_currencies_is_found() -> None:
    """The check bites: money without a currency is reported by its name."""
    assert money_complaints("sum(orphaned_inference_window_spend)") == {"orphaned_inference_window_spend"}
    assert money_complaints('sum(orphaned_inference_window_spend{currency="$currency"})') == set()
    assert money_complaints("sum(orphaned_inference_aborts_total)") == set()


@each_board
def test_panels_have_places_of_their_own(shown: Board) -> None:
    """No two panels overlap, none is wider than the page, each row is full, and ids and refs are unique."""
    boxes = [panel["gridPos"] for panel in shown["panels"]]
    for a, b in combinations(boxes, 2):
        apart_x = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert apart_x or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
    wide = Counter[int]()
    for box in boxes:
        wide[box["y"]] += box["w"]
    assert set(wide.values()) == {24}
    ids = [panel["id"] for panel in shown["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels(shown):
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)


@each_board
def test_every_variable_is_used_and_there(shown: Board) -> None:
    """No variable is without effect, and no panel uses one that the dashboard does not have."""
    have = {variable["name"] for variable in shown["templating"]["list"]}
    assert mentioned(shown) - OUR_OWN <= have
    assert have - mentioned(shown) <= {"runbooks"}  # a link stands where there is a runbook on its topic


@each_board
def test_links_lead_somewhere(shown: Board) -> None:
    """Runbooks and dashboards that are linked exist, and every dashboard links to the others."""
    text = json.dumps(shown)
    for alert in re.findall(r"\$\{runbooks\}/(\w+)\.md", text):
        assert (ROOT / "rules" / "runbooks" / f"{alert}.md").exists(), alert
    assert set(re.findall(r"/d/([\w-]+)", text)) <= {other["uid"] for other in BOARDS}
    assert shown["links"][0]["tags"] == shown["tags"] == ["orphaned-inference"]


@each_board
def test_grafana_can_import_it(shown: Board) -> None:
    """Classic JSON of a schema that Grafana 11 to 13 read, without what belongs to one installation."""
    assert shown["schemaVersion"] == 42
    assert not {"id", "version", "__inputs", "__requires"} & set(shown)
    assert shown["uid"].startswith("orphaned-inference")
    assert len(shown["uid"]) <= 40
    assert len({other["uid"] for other in BOARDS}) == len({other["title"] for other in BOARDS}) == len(FILES) == 4
    assert shown["timezone"] == "utc"


@each_panel
def test_overrides_set_what_exists(panel: dict[str, Any]) -> None:
    """What an override sets is a setting that Grafana's types name; the schema leaves overrides free."""
    for override in panel["fieldConfig"].get("overrides") or []:
        for prop in override["properties"]:
            assert f'"{prop["id"].removeprefix("custom.")}":' in json.dumps(SCHEMA.schema, separators=(",", ":"))
