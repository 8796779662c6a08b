"""Writes tests/golden/metrics.txt from the summary in tests/summaries.py; overwrites it only when asked to.

Use: python -m tests.golden.regenerate [FILE] [--overwrite]
"""

import argparse
import sys
from pathlib import Path

from collector.exporters.metrics import encode_text
from tests.summaries import summary


def main(arguments: list[str]) -> int:
    """The exit code: 0 written, 1 refused because the file is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=Path(__file__).parent / "metrics.txt")
    parser.add_argument("--overwrite", action="store_true", help="replace the file that is there")
    chosen = parser.parse_args(arguments)
    if chosen.file.exists() and not chosen.overwrite:
        sys.stderr.write(f"{chosen.file} is there already; look at the difference, then add --overwrite\n")
        return 1
    chosen.file.write_bytes(encode_text(summary()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
