"""One whole pass of this project over the files of benchmarks/traffic.py, into a fresh ledger.

In: the folder. Out: a line of JSON: the seconds of `run_once`, how many records it took in, and the
orphaned cost by model, to be compared with the peers.

Use: python -m benchmarks.ours FOLDER [history]   (history: as of its end, so that ticks can follow)
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.dataset  # noqa: F401 - what a first run loads, loaded before the clock starts, as the peers' libraries are

from benchmarks.traffic import END_US, HOUR_US, SQL
from collector import config, pipeline

NANO = 1_000_000_000


def measure(root: Path, now_us: int = END_US + 2 * HOUR_US) -> dict[str, Any]:
    """Read, match and price everything under `root`."""
    settings = config.load(root / "orphaned.yaml")
    for old in root.glob("ledger.duckdb*"):
        old.unlink()
    began = time.perf_counter()
    summary = pipeline.run_once(settings, now_us=now_us)
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "records": {source.source: source.records.get("new", 0) for source in summary.ledger.sources},
        "problems": sum(problem.count for problem in summary.ledger.problems),
        "orphaned": orphaned(settings.ledger_path),
    }


def orphaned(ledger: Path) -> dict[str, float]:
    """Whole units of orphaned cost by model, as the ledger holds it."""
    with duckdb.connect(str(ledger), read_only=True) as connection:
        rows = connection.execute((SQL / "our_orphaned.sql").read_text(encoding="utf-8")).fetchall()
    return {model: nano / NANO for model, nano in rows}


if __name__ == "__main__":
    now = {"now_us": END_US} if sys.argv[2:] == ["history"] else {}
    print(json.dumps(measure(Path(sys.argv[1]), **now)))
