"""`orphaned demo` from end to end: make the day, run the real pipeline over it, tell the story, serve.

A directory and an address come in; files, text on standard output and an exit code go out. It has no way of
its own to find anything: the config it writes is one that a user could have written.
"""

import shlex
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from collector import config as configuration
from collector.config import Config
from collector.daemon import Work, wall_clock_us
from collector.daemon import serve as serve_daemon
from collector.demo import world
from collector.demo.compare import Found
from collector.demo.story import Books, orphans, story
from collector.ledger import dialect
from collector.pipeline import reading, run_once
from collector.problems import UsageError
from collector.records import LedgerSummary, RunSummary
from collector.reporting import drawn

PACKAGE = "collector.demo"
COLLECT_S, BILL_S = 300.0, 3_600.0


def demo(
    *, keep: Path | None = None, serve: bool = True, listen: str = "127.0.0.1:9747", now_us: int | None = None
) -> int:
    """Run the demo and return 0. `keep`: a new or empty directory for its files, else a temporary one.

    Raises UsageError where `keep` holds something or `listen` is no address, and whatever a run may raise.
    """
    began = time.monotonic()
    now_us = wall_clock_us() if now_us is None else now_us
    directory = _directory(keep)
    address = free_address(listen) if serve else listen
    with _progress() as step:
        step("Writing a day of logs and its bill")
        day = world.make(directory, end_us=world.day_end_us(now_us), listen=address)
        config = configuration.load(directory / "orphaned.yaml")
        step("Reading")
        done = run_once(config, now_us=now_us, show=lambda *read: step(_reading_text(*read)))
        found, books = ask(config)
    for line in story(day, done.ledger, found, books):
        _say(line)
    for line in orphans(found, _command(), directory / "orphaned.yaml"):
        _say(line)
    _say(f"\nTook {time.monotonic() - began:.1f} s.")
    for line in _where(directory, address if serve else "", moved=address != listen and not listen.endswith(":0")):
        _say(line)
    return _serve(config, done.ledger, address) if serve else 0


def _directory(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="orphaned-demo-"))
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        raise UsageError(f"{keep}: is not empty. Name a new or an empty directory.")
    return keep.absolute()


def free_address(listen: str) -> str:
    """`listen`, or a free port of the same host where that one is taken."""
    host, _, port = listen.rpartition(":")
    bare = host.strip("[]")
    for wanted in (port, "0"):
        try:
            family = socket.AF_INET6 if ":" in bare else socket.AF_INET
            with socket.socket(family) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind((bare, int(wanted)))
                return f"{host}:{trial.getsockname()[1]}"
        except ValueError:
            raise UsageError(f"{listen!r} is no address; expected host:port, like 127.0.0.1:9747") from None
        except OSError:
            continue
    raise UsageError(f"{listen}: cannot be listened on. Name another address with --listen.")


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Says on standard error what is being done, where somebody watches it."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _text: None
        return
    with console.status("Starting") as status:
        yield status.update


def _reading_text(source: str, done: int, total: int) -> str:
    if total <= 0 or done >= total:
        return "Matching, pricing and checking what was read"
    return f"Reading {source}: {done * 100 // total} %"


def ask(config: Config) -> tuple[list[Found], Books]:
    """What the ledger of `config` holds: every abort on its money row, and the bill."""
    with reading(config) as (connection, values):
        rows = dialect.run(connection, PACKAGE, "found", values)
        books = dialect.run(connection, PACKAGE, "books", values)[0]
    return [Found(*row) for row in rows], Books(*map(int, books))


def _command() -> str:
    """How a person types our command here: by its name where that is found, else by its path."""
    own = Path(sys.argv[0])
    if own.name != "orphaned" or shutil.which("orphaned"):
        return "orphaned"
    inside = own.is_absolute() and own.is_relative_to(Path.cwd())
    return shlex.quote(str(own.relative_to(Path.cwd()) if inside else own))


def _where(directory: Path, address: str, *, moved: bool) -> Iterator[str]:
    """Where to look further."""
    yield f"Logs, bill, orphaned.yaml and ledger are in {directory}"
    yield "and stay there until you remove them."
    if not address:
        return
    if moved:
        yield "Another program listens where the demo would have; this port is free:"
    yield f"  Page     http://{address}/"
    yield f"  Report   http://{address}/report"
    yield f"  Metrics  http://{address}/metrics"
    yield "Serving until Ctrl-C; what the daemon logs from here on is on standard error."


def _serve(config: Config, summary: LedgerSummary, address: str) -> int:
    """The daemon itself, on the demo's files."""

    def again(*, bill: bool) -> RunSummary:
        return run_once(config, now_us=wall_clock_us(), bill=bill)

    work = Work(again, COLLECT_S, BILL_S, report_page=lambda: drawn(config).html)
    return serve_daemon(work, listen=address, initial=summary)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
