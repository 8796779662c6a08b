"""One run in a process of its own, to be killed: `python -m tests.run_process CONFIG NOW_US [PIECE_ROWS PAGE_ROWS]`.

It says `ready` on standard output when everything is imported and the run begins. BigQuery is read in pieces and pages
of so many rows, where they are given.
"""

import sys
from pathlib import Path

from collector import pipeline
from collector.config import load
from collector.sources import bigquery_live


def main(config: Path, now_us: int, *rows: int) -> int:
    """The run; 0 when it was committed."""
    if rows:
        bigquery_live.PIECE_ROWS, bigquery_live.PAGE_ROWS = rows
    loaded = load(config)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    pipeline.run_once(loaded, now_us=now_us)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
