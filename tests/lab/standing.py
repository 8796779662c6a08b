"""The lab's backend by itself, behind an nginx of your own: `python -m tests.lab.standing --log FILE`.

Requests in the Gemini API's form come in, at `--listen`; each is worked on for `--seconds`, whoever leaves, and is then
written to the log as a Cloud Logging entry, with the request id that nginx passed on. For docs/deploy.md and the
composition in deploy/: the collector's own environment is enough to run it. Ends on SIGTERM and Ctrl-C.
"""

import argparse
import asyncio
import json
import signal
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from uuid import uuid4

from tests.lab import books
from tests.lab.cells import GIVES_UP, Cell, Shape
from tests.lab.played import played_of
from tests.lab.service import Service, Work

_SHAPES: dict[str, Shape] = {":generateContent": "gemini", ":streamGenerateContent": "gemini-stream"}


class Standing(Service):
    """Expects every call that names one of Gemini's methods, and keeps no count of what it has done."""

    def __init__(self, log: Path, seconds: float) -> None:
        super().__init__()
        self._log = log
        self._seconds = seconds
        self._numbers = count()
        self._working: set[asyncio.Task[None]] = set()

    def work_at(self, path: str) -> Work | None:
        """New work for a path that ends in a method; it ends when its time has come."""
        bare = path.partition("?")[0]
        shape = _SHAPES.get(bare[bare.rfind(":") :])
        if shape is None:
            return None
        work = Work(Cell(next(self._numbers), GIVES_UP, shape, "stays", stops=False))
        task = asyncio.ensure_future(self._see_through(work))
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        return work

    async def _see_through(self, work: Work) -> None:
        """Let it end, and write it down."""
        await asyncio.sleep(self._seconds)
        work.left.set()
        await work.done.wait()
        work.headers = {"x-request-id": uuid4().hex, **work.headers}
        entry = books.entry(replace(played_of(work, 0, 0), completion_id=f"cmpl-{uuid4().hex}"))
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


async def serve(listen: str, log: Path, seconds: float) -> None:
    """Until SIGTERM or SIGINT."""
    host, _, port = listen.rpartition(":")
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with await asyncio.start_server(Standing(log, seconds).serve, host, int(port)):
        await stopped.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab.standing", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--listen", default="127.0.0.1:8000", metavar="HOST:PORT")
    parser.add_argument("--log", type=Path, required=True, metavar="FILE", help="gets a line a completion")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long an answer takes (default: 5)")
    told = parser.parse_args(arguments)
    asyncio.run(serve(told.listen, told.log, told.seconds))


if __name__ == "__main__":
    main()
