"""Reading the sources: a Config and the run's now come in, the ledger holds what is new, piece by piece.

Each piece is committed with the place reached, so that a run that dies loses and doubles nothing. A source
that fails is skipped: its error goes to its state in the ledger, its place stays. Nothing is derived here.
"""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import duckdb

from collector.config import (
    ClientLogSource,
    CloudLoggingSource,
    CompletionLogSource,
    Config,
    GcpBillingFileSource,
    NginxSource,
    SourceConfig,
)
from collector.ledger import append, dialect
from collector.problems import OperatingError, UsageError
from collector.sources import cloud_logging, cloud_logging_live, gcp_billing, observers
from collector.sources.cloud_logging_api import Lister, Quota, http_lister
from collector.sources.cloud_logging_live import LiveCursor, Query
from collector.sources.files import FileCursor, LineChunk, read_lines

LEDGER = "collector.ledger"
CHUNK_BYTES = 32 << 20
CHUNKS_AHEAD = 4
# One a process, because Google counts calls a project, whichever source or run they come from.
QUOTA = Quota(time.monotonic, time.sleep)

Progress = Callable[[str, int, int], None]  # source, bytes done, bytes in all


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading one source came to."""

    new: int
    error: str


def read(
    connection: duckdb.DuckDBPyConnection,
    config: Config,
    source: SourceConfig,
    values: Mapping[str, Any],
    show: Progress,
) -> Reading:
    """Read one source to its end; an operating error ends its turn and is remembered."""
    new, error = 0, ""
    try:
        for taken in _taken(connection, config, source, values, show):
            new += taken.new
        error = _unreadable(connection, source)
    except (OSError, OperatingError) as trouble:
        error = str(trouble)
    state = {**values, "source": source.name, "kind": source.kind, "up": not error, "error": error}
    connection.begin()
    kept = dialect.run(connection, LEDGER, "source_state_get", state)
    success, watermark = (values["now_us"], values["now_us"]) if not error else (kept[0] if kept else (None, None))
    if isinstance(source, CloudLoggingSource):  # some projects may be further than others
        watermark = cloud_logging_live.watermark_us(query_of(source), _live_cursors(connection, source))
    dialect.run(connection, LEDGER, "source_state_drop", state)
    dialect.run(connection, LEDGER, "source_state_put", {**state, "success": success, "watermark": watermark})
    connection.commit()
    return Reading(new, error)


def _taken(
    connection: duckdb.DuckDBPyConnection,
    config: Config,
    source: SourceConfig,
    values: Mapping[str, Any],
    show: Progress,
) -> Iterator[append.Taken]:
    """Every new piece of the source, taken in."""
    kind, stage = mapping(config, source)
    bound = {**values, "provider": getattr(source, "provider", "")}
    deliveries = _deliveries(connection, config, source, values, show)
    if isinstance(source, CloudLoggingSource):
        # Piece by piece: the quota makes a page dearer than a commit, so none is fetched twice.
        for delivery in deliveries:
            yield from append.take_all(connection, [delivery], kind=kind, stage=stage, values=bound)
        return
    yield from append.take_all(connection, deliveries, kind=kind, stage=stage, values=bound)


def _deliveries(
    connection: duckdb.DuckDBPyConnection,
    config: Config,
    source: SourceConfig,
    values: Mapping[str, Any],
    show: Progress,
) -> Iterator[append.Delivery]:
    """Every new piece of the source: of its projects' entries, or of its files."""
    newest = connection.execute("SELECT coalesce(max(file_id), 0) FROM source_file").fetchall()[0][0]
    if isinstance(source, CloudLoggingSource):
        yield from _live(connection, source, values["now_us"], newest + 1)
        return
    cursors = [
        FileCursor.from_json(json.loads(row[0]))
        for row in dialect.run(connection, LEDGER, "cursor_list", {"source": source.name})
    ]
    chunks = read_lines(
        source.name, [source.path], config.root, cursors, now_us=values["now_us"], next_file_id=newest + 1,
        parses=_is_object, chunk_bytes=CHUNK_BYTES, progress=partial(show, source.name),
    )  # fmt: skip
    for chunk in ahead(chunks):
        yield append.Delivery(
            source.name, chunk.path, chunk.file_id, chunk.table, chunk.lines, chunk.blank, chunk.problems,
            chunk.lines - chunk.table.num_rows - chunk.blank, json.dumps(chunk.cursor.to_json()),
        )  # fmt: skip


def ahead(pieces: Iterator[LineChunk]) -> Iterator[LineChunk]:
    """`pieces`, the next few of them made in a thread while the caller is busy with this one."""
    with ThreadPoolExecutor(1, "reader") as reader:
        waiting = deque(reader.submit(next, pieces, None) for _ in range(CHUNKS_AHEAD))
        while (piece := waiting.popleft().result()) is not None:
            waiting.append(reader.submit(next, pieces, None))
            yield piece


def _live(
    connection: duckdb.DuckDBPyConnection, source: CloudLoggingSource, now_us: int, next_file_id: int
) -> Iterator[append.Delivery]:
    """New entries of the source's projects. Raises OperatingError at the end, if some could not be read."""
    errors: list[str] = []
    for piece in cloud_logging_live.fetch(
        source.name, query_of(source), _live_cursors(connection, source), now_us=now_us,
        next_file_id=next_file_id, list_page=lister_of(source), quota=QUOTA,
        calls_a_minute=source.calls_per_minute,
    ):  # fmt: skip
        cursor = piece.cursor
        yield append.Delivery(
            source.name, cursor.path, cursor.file_id, piece.table, piece.lines, 0, piece.problems,
            len(piece.problems), cursor.to_json(),
        )  # fmt: skip
        errors += [piece.error] if piece.error else []
    if errors:
        raise OperatingError("; ".join(errors))


def query_of(source: CloudLoggingSource) -> Query:
    """What is asked of Cloud Logging for that source."""
    return Query(source.projects, source.filter, source.since_us, source.overlap_us)


def lister_of(source: CloudLoggingSource) -> Lister:
    """What calls Cloud Logging, or the server that stands in for it."""
    at = source.endpoint
    if at is None:
        return http_lister()
    return http_lister(f"[{at.host}]:{at.port}" if ":" in at.host else f"{at.host}:{at.port}")


def _live_cursors(connection: duckdb.DuckDBPyConnection, source: CloudLoggingSource) -> list[LiveCursor]:
    rows = dialect.run(connection, LEDGER, "cursor_list", {"source": source.name})
    return [LiveCursor.from_json(row[0]) for row in rows]


def _is_object(text: str) -> bool:
    """Whether an unterminated last line is a whole JSON object."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _unreadable(connection: duckdb.DuckDBPyConnection, source: SourceConfig) -> str:
    """Why a file of the source could not be read, if so: then the source has not been read to its end."""
    if isinstance(source, CloudLoggingSource):
        return ""  # what it could not read has been raised
    for row in dialect.run(connection, LEDGER, "cursor_list", {"source": source.name}):
        cursor = FileCursor.from_json(json.loads(row[0]))
        if cursor.trouble and cursor.size < 0:
            return f"{cursor.path}: {cursor.trouble}"
    return ""


def mapping(config: Config, source: SourceConfig) -> tuple[str, append.Stage]:
    """The record kind of a source, and what makes rows of its lines."""
    if isinstance(source, ClientLogSource):
        return "client_call", observers.stage_client_log
    if isinstance(source, NginxSource):
        service, routes = source.service or source.name, source.routes
        return "client_call", lambda connection: observers.stage_nginx(connection, service, routes)
    if isinstance(source, CompletionLogSource):
        provider, fields = source.provider, source.fields
        return "backend_completion", lambda connection: cloud_logging.stage(connection, provider, fields)
    if isinstance(source, GcpBillingFileSource):
        providers = {s.provider for s in config.sources if isinstance(s, CompletionLogSource)}
        fallback = providers.pop() if len(providers) == 1 else None
        return "billing_line", lambda connection: gcp_billing.stage(connection, config.skus, fallback)
    raise UsageError(f"source {source.name}: kind {source.kind} is not available in this version")
