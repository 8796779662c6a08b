"""The dashboards as people see them: drawn by the viewer in dashboards/viewer, in headless Chromium.

In: a Prometheus and the instant that is now. Out: what each panel shows, and pictures where they are wanted. The viewer
is built of Grafana's own npm parts, but it is no Grafana server: what it draws is a faithful likeness, not a proof.

`python -m tests.dashboard_viewer` draws dashboards/pictures anew, from four weeks of a simulated world.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.dashboard_history import END, SCRAPES, history
from tests.dashboard_json import FILES, FOLDER, ROOT
from tests.scraped import Prometheus
from tests.tools import need

VIEWER = ROOT / "dashboards" / "viewer"
PICTURES = ROOT / "dashboards" / "pictures"
INSTALL_SECONDS_MAX = 600


@dataclass(frozen=True)
class Drawn:
    """One panel in one theme: `state` is drawn, empty or error; `text` is all that can be read in it."""

    board: str
    theme: str
    title: str
    state: str
    text: str


def built() -> None:
    """The viewer, installed as its lock says and bundled; the test is skipped where that cannot be had."""
    npm = shutil.which("npm")
    if npm is None or not shutil.which("node"):
        pytest.skip("node (20.19 or newer) and npm are missing: the dashboards were not drawn")
    steps = [[npm, "run", "build", "--", "--logLevel", "error"]]
    if not (VIEWER / "node_modules").exists():
        steps.insert(0, [npm, "ci", "--no-audit", "--no-fund", "--loglevel", "error"])
    for step in steps:
        done = subprocess.run(
            step, cwd=VIEWER, check=False, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX
        )
        if done.returncode:
            pytest.skip(f"the viewer could not be made, so the dashboards were not drawn: {done.stderr[-500:]}")


def drawn(prometheus: Prometheus, *, files: Sequence[Path], pictures: Path | None, query: str = "") -> list[Drawn]:
    """Every panel of those dashboards in dark and in light. RuntimeError with the browser's complaints, if any."""
    found, complaints = [], []
    by_interval: dict[timedelta, list[str]] = defaultdict(list)
    for file in files:
        day = json.loads(file.read_text(encoding="utf-8"))["time"]["from"] == "now-24h"
        by_interval[SCRAPES[day]].append(str(file))
    for interval, alike in by_interval.items():
        asked = [
            "node", "shoot.mjs", "--prometheus", f"http://{prometheus.address}", "--to", f"{END.timestamp():.0f}000",
            "--interval", f"{interval.total_seconds():.0f}", "--chromium", need("chromium", "chromium"),
            "--query", query, *(["--out", str(pictures)] if pictures else []), *alike,
        ]  # fmt: skip
        told = subprocess.run(asked, cwd=VIEWER, check=True, stdout=subprocess.PIPE, text=True, timeout=600)
        for name, seen in json.loads(told.stdout).items():
            shown, theme = name.split()
            complaints += [f"{name}: {complaint}" for complaint in seen["complaints"]]
            found += [Drawn(shown, theme, title, p["state"], p["text"]) for title, p in seen["panels"].items()]
    if complaints:
        raise RuntimeError("\n".join(complaints))
    return found


def slim(picture: Path) -> None:
    """A picture in 256 colours, which is less than half of its bytes and looks the same."""
    from PIL import Image

    with Image.open(picture) as whole:
        few = whole.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(picture, optimize=True)


def main() -> int:
    """Draws the pictures that are kept, and says what is in them that should not be."""
    built()
    with tempfile.TemporaryDirectory() as directory, history(Path(directory), days=28, calls=6000) as prometheus:
        seen = drawn(prometheus, files=[FOLDER / file for file in FILES], pictures=PICTURES, query="var-currency=USD")
    for picture in PICTURES.iterdir():
        slim(picture)
    return len([sys.stderr.write(f"{one}\n") for one in seen if one.state != "drawn" or "unknown" in one.text])


if __name__ == "__main__":
    sys.exit(main())
