"""Files read ahead: while the caller is busy with some lines, a thread reads and cuts the next, of the next source too.

In: readings by name, in the order in which they will be asked for. Out: the chunks of each. An error belongs to the
reading that met it and is raised to whoever asks for that one; the others go on. It keeps a few chunks, no more.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from collector.problems import OperatingError
from collector.sources.files import LineChunk

CHUNKS_MAX = 6


@dataclass(frozen=True, slots=True)
class _Piece:
    """One chunk of a reading; without one, its end, and the error that ended it, if so."""

    name: str
    chunk: LineChunk | None
    error: Exception | None = None


class Ahead:
    """Reads while it is entered; what nobody has asked for by then is thrown away."""

    def __init__(self, readings: Iterable[tuple[str, Iterator[LineChunk]]]) -> None:
        self._pieces = _pieces(readings)
        self._reader = ThreadPoolExecutor(1, "reader")
        self._waiting: deque[Future[_Piece | None]] = deque()

    def __enter__(self) -> Self:
        for _ in range(CHUNKS_MAX):
            self._read_on()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._reader.shutdown(cancel_futures=True)

    def of(self, name: str) -> Iterator[LineChunk]:
        """The chunks of the reading of that name. Raises the OSError or OperatingError that it met."""
        while (piece := self._waiting.popleft().result()) is not None:
            self._read_on()
            if piece.name != name:
                continue  # of a reading before, whose caller has given up
            if piece.error:
                raise piece.error
            if piece.chunk is None:
                return
            yield piece.chunk

    def _read_on(self) -> None:
        self._waiting.append(self._reader.submit(next, self._pieces, None))


def _pieces(readings: Iterable[tuple[str, Iterator[LineChunk]]]) -> Iterator[_Piece]:
    """All chunks of all readings, and the end of each."""
    for name, chunks in readings:
        error = None
        try:
            for chunk in chunks:
                yield _Piece(name, chunk)
        except (OSError, OperatingError) as met:
            error = met
        yield _Piece(name, None, error)
