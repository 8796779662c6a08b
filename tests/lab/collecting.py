"""The real collector over a room: `orphaned run --once`, then its tables. In: a room. Out: rows as users get them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.lab.books import CONFIG, HOUR_US, instant

Row = dict[str, Any]
SETTLED_HOURS = 72  # later, when the bill is final and whoever vanished has been missed


def collect(room: Path, last_us: int, *tables: str, config: str = CONFIG) -> str:
    """One pass as of three days after `last_us`, and these tables as JSON files; what `run` said."""
    said = orphaned(room, "run", "--once", "--as-of", instant(last_us + SETTLED_HOURS * HOUR_US), config=config)
    for table in tables:
        orphaned(room, "export", table, "--format", "json", "--output", str(_path(room, table, config)), config=config)
    return said


def orphaned(room: Path, *arguments: str, config: str = CONFIG) -> str:
    """The command, in the room; what it said. RuntimeError where it fails."""
    command = [sys.executable, "-m", "collector", arguments[0], "--config", str(room / config), *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"orphaned {' '.join(arguments)} gave {done.returncode}: {done.stderr}")
    return done.stdout + done.stderr


def rows(room: Path, table: str, *, config: str = CONFIG) -> list[Row]:
    """A table that `collect` has written."""
    told: list[Row] = json.loads(_path(room, table, config).read_text(encoding="utf-8"))
    return told


def _path(room: Path, table: str, config: str) -> Path:
    return room / f"{Path(config).stem}-{table}.json"
