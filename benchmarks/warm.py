"""What comes before every contender's turn, so that each finds the same: files just read, memory just used.

In: the folder. Out: a line of JSON: the seconds, and how many bytes were read. Without it, who follows the writer of
the files, or a contender that needed little memory, pays for cold pages that the next one finds warm.

Use: python -m benchmarks.warm FOLDER
"""

import json
import sys
import time
from collections import deque
from pathlib import Path

PIECE_BYTES = 1 << 20
HELD_BYTES_MAX = 2 << 30  # more than any contender needs for a million calls


def warm(root: Path) -> int:
    """Read every file under `root`, and hold what fits until the end."""
    held = deque[bytes](maxlen=HELD_BYTES_MAX // PIECE_BYTES)
    done = 0
    for path in sorted(root.rglob("*.json*")):
        with path.open("rb", buffering=0) as file:
            while piece := file.read(PIECE_BYTES):
                held.append(piece)
                done += len(piece)
    held.extend(b"." * PIECE_BYTES for _ in range(max(0, HELD_BYTES_MAX - done) // PIECE_BYTES))
    return done


if __name__ == "__main__":
    began = time.perf_counter()
    read = warm(Path(sys.argv[1]))
    print(json.dumps({"seconds": time.perf_counter() - began, "bytes": read}))
