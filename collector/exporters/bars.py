"""Progress for whoever watches: bars on a terminal, for work that takes over two seconds.

Sources and how much of each is done come in; nothing goes out but what a terminal shows.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

QUIET_S = 2.0


class Bars:
    """One bar a name, made when the name is first heard of; and one that only moves, for the whole."""

    def __init__(self, progress: "Progress | None") -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def __call__(self, name: str, done: int, total: int) -> None:
        """`done` of `total` (bytes) of `name` are dealt with."""
        if self._progress is None:
            return
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(f"reading {name}", total=total or None)
        self._progress.update(self._bars[name], completed=done, total=total or None)

    def count(self, done: int) -> None:
        """`done` things are dealt with; nobody knows of how many."""
        if self._progress is not None and self._progress.tasks:
            self._progress.update(self._progress.tasks[0].id, description=f"{done:,} rows")


@contextmanager
def bars(title: str) -> Iterator[Bars]:
    """Bars under `title`, gone when the work is done; they move no pixel where nobody can see them."""
    if not sys.stderr.isatty():
        yield Bars(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    progress.add_task(title, total=None)
    late = threading.Timer(QUIET_S, progress.start)
    late.daemon = True
    late.start()
    try:
        yield Bars(progress)
    finally:
        late.cancel()
        late.join()
        progress.stop()
