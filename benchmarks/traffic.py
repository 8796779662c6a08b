"""Traffic to measure with: the logs and the bill of so many calls, the same for the same seed.

In: a folder, and how many calls. Out: files as the sources read them, and the config beside them. History
ends at END_US, whatever its length, so that what follows (`Traffic.follow`) is the same for a short one and
a long one. Lines are made by the engine, in slices, and written straight from its buffers. Nothing here is
garbled, late or out of the ordinary: that is the business of tests/world.py.

Use: python -m benchmarks.traffic FOLDER CALLS [hours]   (hours: the bill ends with the last whole one)
"""

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

SQL = Path(__file__).resolve().parent / "sql"
HOUR_US = 3_600_000_000
END_US = 1_795_177_800_000_000  # 2026-11-20T12:30:00Z: within an hour that is not billed yet
SLICE_CALLS = 100_000
# Where each kind of line goes; the name of the file is filled in.
PLACES = {"client": "client/{}.jsonl", "edge": "nginx/{}.json", "backend": "backend/{}.jsonl"}
CONFIG = (Path(__file__).resolve().parent / "traffic.yaml").read_text(encoding="utf-8")


@dataclass(slots=True)
class Traffic:
    """One stream of calls in `root`. `gap_us` is the time between two calls: 200,000 is 5 calls a second."""

    root: Path
    seed: int = 1
    gap_us: int = 200_000
    abort_share: float = 0.02
    vanished_share: float = 0.0005
    edge_share: float = 0.2
    twice_share: float = 0.001  # of the backend's entries
    followed: int = 0  # calls after END_US so far
    connection: duckdb.DuckDBPyConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = duckdb.connect(config={"threads": 2})
        self.connection.execute(_sql("macros"))
        self.connection.execute("SET VARIABLE seed = $1", [self.seed])
        self.connection.execute(
            "CREATE TEMP TABLE usage (hour_us BIGINT, account VARCHAR, model VARCHAR, kind VARCHAR, units HUGEINT)"
        )

    @property
    def now_us(self) -> int:
        """The instant of the newest call."""
        return END_US + self.followed * self.gap_us

    def history(self, calls: int, *, bill_all: bool = True) -> None:
        """Write the config, and the `calls` that end at END_US; the bill holds all or only whole hours."""
        for folder in ("client", "nginx", "backend", "billing"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        (self.root / "orphaned.yaml").write_text(CONFIG, encoding="utf-8")
        for first in range(-calls, 0, SLICE_CALLS):
            self._slice(first, min(SLICE_CALLS, -first), f"day-{first + calls:09d}")
        self._bill("history", 0, END_US + HOUR_US if bill_all else END_US // HOUR_US * HOUR_US)

    def follow(self, calls: int) -> None:
        """Append the next `calls` to the files that are being written."""
        self._slice(self.followed, calls, "live")
        self.followed += calls

    def bill_hours(self, name: str) -> int:
        """Write the bill of the hours that ended since END_US; how many rows. Once a history."""
        return self._bill(name, END_US // HOUR_US * HOUR_US, self.now_us // HOUR_US * HOUR_US)

    def _slice(self, first: int, calls: int, name: str) -> None:
        values = {
            "first": first, "calls": calls, "seed": str(self.seed), "end_us": END_US, "gap_us": self.gap_us,
            "abort_share": self.abort_share, "vanished_share": self.vanished_share,
            "edge_share": self.edge_share, "twice_share": self.twice_share,
        }  # fmt: skip
        self.connection.execute(_sql("call"), values)
        for kind, place in PLACES.items():
            lines = self.connection.execute(_sql(f"{kind}_line")).to_arrow_table()
            _append(self.root / place.format(name), lines)
        self.connection.execute(_sql("usage_add"))

    def _bill(self, name: str, from_us: int, to_us: int) -> int:
        values = {"from_us": from_us, "to_us": to_us}
        lines = self.connection.execute(_sql("bill_line"), values).to_arrow_table()
        _append(self.root / f"billing/{name}.jsonl", lines)
        return int(lines.num_rows)


def _sql(name: str) -> str:
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")


def _append(path: Path, lines: pa.Table) -> None:
    """Write the column `line`, whose rows end in newlines, as it lies in memory."""
    with path.open("ab") as file:
        for chunk in lines["line"].cast(pa.large_string()).chunks:
            _, offsets, data = chunk.buffers()
            ends = memoryview(offsets).cast("q")
            file.write(memoryview(data)[ends[chunk.offset] : ends[chunk.offset + len(chunk)]])


if __name__ == "__main__":
    started = time.perf_counter()
    Traffic(Path(sys.argv[1])).history(int(sys.argv[2]), bill_all=sys.argv[3:] != ["hours"])
    print(json.dumps({"seconds": time.perf_counter() - started}))
