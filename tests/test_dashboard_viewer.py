"""The dashboards drawn with Grafana's own parts in headless Chromium, over weeks of a simulated world."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dashboard_history import history
from tests.dashboard_json import FILES, FOLDER, board, panels
from tests.dashboard_viewer import PICTURES, Drawn, built, drawn
from tests.scraped import Prometheus

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PICTURE_BYTES_MAX = 250_000


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that knows nine days; the viewer is there."""
    built()
    with history(tmp_path_factory.mktemp("history"), days=9, calls=2500) as made:
        yield made


@pytest.fixture(scope="module")
def seen(prometheus: Prometheus) -> list[Drawn]:
    """Every panel of every dashboard, in dark and in light."""
    return drawn(prometheus, files=[FOLDER / file for file in FILES], pictures=None, query="var-currency=USD")


def test_every_panel_is_drawn(seen: list[Drawn]) -> None:
    """No panel has an error, is empty, or says that something is unknown or no number; none is missing."""
    titles = {(file, theme, p["title"]) for file in FILES for theme in ("dark", "light") for p in panels(board(file))}
    assert {(one.board, one.theme, one.title) for one in seen} == titles
    assert [one for one in seen if one.state != "drawn"] == []
    assert [one for one in seen if "unknown" in one.text or "NaN" in one.text or "No data" in one.text] == []


def test_the_variables_are_filled_in(seen: list[Drawn]) -> None:
    """What a person reads has the currency and the period, never a variable's name."""
    assert [one for one in seen if "$" in one.text] == []
    assert any("Lost this month, USD" in one.text for one in seen)


def test_a_misspelt_metric_is_seen(prometheus: Prometheus, tmp_path: Path) -> None:
    """The check bites: a panel whose metric is misspelt says that it is unknown, and is no drawn one."""
    wrong = tmp_path / "overview.json"
    text = (FOLDER / "overview.json").read_text(encoding="utf-8")
    wrong.write_text(text.replace("window_avoidable_spend", "window_avoidabel_spend"), encoding="utf-8")
    empty = [one for one in drawn(prometheus, files=[wrong], pictures=None) if one.state == "empty"]
    assert [one.title for one in empty] == 2 * ["Avoidable, this month, $currency"]
    assert all("unknown" in one.text for one in empty)


def test_a_broken_query_is_seen(prometheus: Prometheus, tmp_path: Path) -> None:
    """The check bites: a panel whose query is no PromQL has an error badge."""
    shown = json.loads((FOLDER / "overview.json").read_text(encoding="utf-8"))
    panels(shown)[0]["targets"][0]["expr"] = "sum(("
    (tmp_path / "overview.json").write_text(json.dumps(shown), encoding="utf-8")
    failed = [
        one for one in drawn(prometheus, files=[tmp_path / "overview.json"], pictures=None) if one.state == "error"
    ]
    assert [one.title for one in failed] == 2 * ["Lost this month, $currency"]
    assert all("parse error" in one.text for one in failed)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_pictures_are_kept(file: str, theme: str) -> None:
    """Each dashboard has a picture in both themes, small enough to be kept in a repository."""
    picture = PICTURES / f"{file.removesuffix('.json')}-{theme}.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < PICTURE_BYTES_MAX
