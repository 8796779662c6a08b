"""One run in a process of its own, to be killed: `python -m tests.run_process CONFIG NOW_US`.

It says `ready` on standard output when everything is imported and the run begins.
"""

import sys
from pathlib import Path

from collector import pipeline
from collector.config import load


def main(config: Path, now_us: int) -> int:
    """The run; 0 when it was committed."""
    loaded = load(config)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    pipeline.run_once(loaded, now_us=now_us)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
