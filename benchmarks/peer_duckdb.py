"""The floor: DuckDB's bare typed load of the same files into tables of a file database, and nothing else.

In: the folder. Out: a line of JSON: the seconds, and the rows of each table. No lines are numbered or kept,
nothing is checked, deduplicated, matched or priced; a line that does not parse would end it.

Use: python -m benchmarks.peer_duckdb FOLDER
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.traffic import SQL

FILES = {
    "client": "client/*.jsonl",
    "edge": "nginx/*.json",
    "backend": "backend/*.jsonl",
    "bill": "billing/*.jsonl",
}


def measure(root: Path) -> dict[str, Any]:
    """Load everything under `root`, and close the database."""
    target = root / "bare.duckdb"
    target.unlink(missing_ok=True)
    began = time.perf_counter()
    records = {}
    with duckdb.connect(str(target), config={"threads": 2}) as connection:
        for name, pattern in FILES.items():
            connection.execute("SET VARIABLE path = $1", [str(root / pattern)])
            connection.execute((SQL / f"bare_{name}.sql").read_text(encoding="utf-8"))
            records[name] = connection.table(name).count("*").fetchall()[0][0]
    seconds = time.perf_counter() - began
    target.unlink()
    return {"seconds": seconds, "records": records}


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
