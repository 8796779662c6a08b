"""The dashboards drawn with Grafana's own parts in headless Chromium, over a week of a simulated world."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.dashboard_history import history
from tests.dashboard_json import FILES, FOLDER, board, panels
from tests.dashboard_viewer import PICTURES, Drawn, built, drawn

PICTURE_BYTES_MAX = 250_000
RUNS = timedelta(hours=24), timedelta(hours=6)
THEMES = ("dark", "light")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_dashboards_are_drawn(tmp_path: Path) -> None:
    """No panel has an error, is empty or unknown; what is misspelt or broken shows. One test: a world is dear."""
    built()
    with history(tmp_path / "history", days=8, calls=2500, every=RUNS) as prometheus:
        seen = drawn(prometheus, files=[FOLDER / file for file in FILES], pictures=None, query="var-currency=USD")
        wrong = drawn(prometheus, files=[_wrong(tmp_path)], pictures=None)
    every_panel_is_drawn(seen)
    what_is_wrong_shows(wrong)


def every_panel_is_drawn(seen: list[Drawn]) -> None:
    """Each panel of each dashboard is there in both themes, drawn, with something in it, its variables filled in."""
    titles = {(file, theme, p["title"]) for file in FILES for theme in THEMES for p in panels(board(file))}
    assert {(one.board, one.theme, one.title) for one in seen} == titles
    assert [one for one in seen if one.state != "drawn"] == []
    assert [one for one in seen if one.text.count("\n") < 1] == []
    assert [one for one in seen if any(word in one.text for word in ("unknown", "NaN", "No data", "$"))] == []
    assert any(one.text.startswith("Lost this month, USD") for one in seen)


def what_is_wrong_shows(seen: list[Drawn]) -> None:
    """The check bites: a misspelt metric is unknown, and what is no PromQL has an error with Prometheus' words."""
    found = {one.title: one for one in seen if one.state != "drawn"}
    assert set(found) == {"Avoidable, this month, $currency", "Lost this month, $currency"}
    assert found["Avoidable, this month, $currency"].state == "empty"
    assert "unknown" in found["Avoidable, this month, $currency"].text
    assert found["Lost this month, $currency"].state == "error"
    assert "parse error" in found["Lost this month, $currency"].text


def _wrong(directory: Path) -> Path:
    """The overview with one metric misspelt, and one query broken."""
    text = (FOLDER / "overview.json").read_text(encoding="utf-8")
    shown = json.loads(text.replace("window_avoidable_spend", "window_avoidabel_spend"))
    panels(shown)[0]["targets"][0]["expr"] = "sum(("
    path = directory / "overview.json"
    path.write_text(json.dumps(shown), encoding="utf-8")
    return path


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("theme", THEMES)
def test_pictures_are_kept(file: str, theme: str) -> None:
    """Each dashboard has a picture in both themes, small enough to be kept in a repository."""
    picture = PICTURES / f"{file.removesuffix('.json')}-{theme}.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < PICTURE_BYTES_MAX
