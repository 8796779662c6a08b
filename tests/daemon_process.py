"""A daemon in a process of its own, for the signal tests: `python -m tests.daemon_process MODE PORT_FILE`.

MODE `slow` makes runs that never end; `reload` answers the first SIGHUP with an error, then gives new work.
"""

import sys
import threading
from pathlib import Path

from collector import daemon
from collector.problems import UsageError
from collector.records import RunSummary
from tests.summaries import run_summary


def quick(*, bill: bool) -> RunSummary:
    """A run of no time."""
    return run_summary(7 if bill else 8)


def endless(*, bill: bool) -> RunSummary:
    """A run that does not end."""
    threading.Event().wait()
    return run_summary(bill)


class Reload:
    """Fails once, then gives other work."""

    def __init__(self) -> None:
        self.called = 0

    def __call__(self) -> daemon.Work:
        """The new work; UsageError the first time."""
        self.called += 1
        if self.called == 1:
            raise UsageError("orphaned.yaml:3: unknown key 'sorces'")
        return daemon.Work(lambda *, bill: run_summary(100 + bill), 3600, 3600)


def main(mode: str, port_file: Path) -> int:
    """Serves until a signal comes; the address is left in `port_file`."""
    real_start = daemon.Daemon.start

    def start(self: daemon.Daemon) -> None:
        real_start(self)
        port_file.write_text(self.address, encoding="utf-8")

    daemon.Daemon.start = start  # type: ignore[method-assign]
    run = endless if mode == "slow" else quick
    return daemon.serve(daemon.Work(run, 3600, 3600), listen="127.0.0.1:0", reload=Reload())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
