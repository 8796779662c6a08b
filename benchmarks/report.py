"""How long the weekly report of so many calls takes, and how much memory: in a fresh process, as the command draws it.

In: how many calls. Out: wall time, CPU time and peak memory of drawing page and table, and of the PDF as well,
with the sizes of the files. The ledger is made first, by another process, from benchmarks/traffic.py.

Use: python -m benchmarks.report [--calls 1000000] [--rounds 3] [--ledger FOLDER: traffic that was read before]
     python -m benchmarks.report draw FOLDER DIR     (one drawing, for the measuring process)
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path

from benchmarks.child import folder, median, run, table


def draw(root: Path, directory: Path) -> dict[str, object]:
    """Draw the newest report of the ledger under `root` into `directory`, from the first import on."""
    began = time.perf_counter()
    from collector import config, reporting

    report = reporting.drawn(config.load(root / "orphaned.yaml"))
    page = report.html
    without_pdf = time.perf_counter() - began
    report.write(directory)
    return {
        "seconds": time.perf_counter() - began,
        "seconds_without_pdf": without_pdf,
        "aborts": report.figures.aborts,
        "page_bytes": len(page.encode()),
        "csv_bytes": len(report.csv),
        "pdf_bytes": len(report.pdf),
    }


def main(arguments: Sequence[str]) -> int:
    """Makes the ledger, measures, prints the table, and returns 0."""
    if arguments[:1] == ["draw"]:
        print(json.dumps(draw(Path(arguments[1]), Path(arguments[2]))))
        return 0
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ledger", type=Path)
    given = parser.parse_args(arguments)
    with folder(None) as scratch:
        root = given.ledger or scratch
        if given.ledger is None:
            run("traffic", str(root), str(given.calls))
            run("ours", str(root))
        rounds = [run("report", "draw", str(root), str(scratch / "drawn")) for _ in range(given.rounds)]
    told = rounds[0].answer
    sizes = ", ".join(f"{name} {told[f'{name}_bytes'] / 1000:,.0f} kB" for name in ("page", "csv", "pdf"))
    print(f"{told['aborts']:,} aborts in the week; {sizes}; medians of {given.rounds} fresh processes")
    without = sorted(one.answer["seconds_without_pdf"] for one in rounds)[len(rounds) // 2]
    print(table(("", "wall s", "of it page and table s", "CPU s", "peak MiB"), [(
        "the report", f"{median(rounds, attrgetter('seconds')):.2f}", f"{without:.2f}",
        f"{median(rounds, attrgetter('cpu_seconds')):.2f}", f"{median(rounds, attrgetter('rss_bytes')) / 2**20:,.0f}",
    )]))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
