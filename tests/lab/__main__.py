"""`python -m tests.lab`: the story, to watch. `--table`: every cell of the table, as a table."""

import shutil
import sys
import tempfile
from pathlib import Path

from tests.lab import outcome, story
from tests.lab.cells import all_cells
from tests.lab.outcome import Seen


def main(arguments: list[str]) -> int:
    """Tell one or the other; 2 where nginx is missing or the arguments are not understood."""
    if arguments not in ([], ["--table"]):
        sys.stderr.write("usage: python -m tests.lab [--table]\n")
        return 2
    if shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin") is None:
        sys.stderr.write("nginx is missing: apt-get install nginx\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="orphaned-lab-") as directory:
        if arguments:
            _tell_table(Path(directory))
        else:
            story.tell(Path(directory), story.to_terminal)
    return 0


def _tell_table(room: Path) -> None:
    """A line a cell: what nginx logged, what the client logged, what the collector says."""
    cells = all_cells()
    story.to_terminal(f"{len(cells)} calls, all at once; this takes some 30 seconds ...")
    outcome.run(room, cells)
    for name, seen in outcome.seen(room).items():
        story.to_terminal(f"{name:62}{_line(seen)}")


def _line(seen: Seen) -> str:
    end = seen.ended or {"outcome": "-", "reason": None}
    client = end["outcome"] if end["reason"] is None else f"{end['outcome']}, {end['reason']}"
    row = seen.verdicts.get("app")
    money = f"{row['verdict']:10}{row['orphaned_cost']:>12} {row['currency']}" if row else ""
    return f"{seen.nginx['status']:>4} {seen.nginx['request_completion'] or '-':3} {client:22}{money}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
