"""Reading the sources: a Config and the run's now come in, the ledger holds what is new, piece by piece.

Each piece is committed with the place reached, so that a run that dies loses and doubles nothing. A source
that fails is skipped: its error goes to its state in the ledger, its place stays. Nothing is derived here.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, TypeVar

import duckdb

from collector.config import (
    AuditEntries,
    BillSource,
    ClientLogEntries,
    ClientLogSource,
    CompletionLogSource,
    Config,
    FileSource,
    JobEntries,
    LiveSource,
    NginxSource,
    RequestEntries,
    RequestResponseLog,
    SourceConfig,
    TableSource,
)
from collector.config.values import Address
from collector.ledger import append, dialect
from collector.ledger.job_events import WithJobs
from collector.problems import OperatingError, UsageError
from collector.sources import (
    bigquery_live,
    cloud_logging,
    cloud_logging_live,
    gcp_billing,
    jobs,
    observers,
    presets,
    request_response,
)
from collector.sources.ahead import Ahead
from collector.sources.bigquery_api import BigQuery, Place
from collector.sources.bigquery_live import TableCursor
from collector.sources.cloud_logging_api import Lister, Quota, http_lister
from collector.sources.cloud_logging_live import LiveCursor, Query
from collector.sources.cursors import TextCursor
from collector.sources.files import FileCursor, LineChunk, read_lines

LEDGER = "collector.ledger"
CHUNK_BYTES = 32 << 20
# One a process, because Google counts calls a project, whichever source or run they come from.
QUOTA = Quota(time.monotonic, time.sleep)

Progress = Callable[[str, int, int], None]  # source, bytes done, bytes in all
_Cursor = TypeVar("_Cursor", bound=TextCursor)


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading one source came to."""

    new: int
    error: str


@dataclass(frozen=True, slots=True)
class _Run:
    """What reading any source takes."""

    connection: duckdb.DuckDBPyConnection
    config: Config
    values: Mapping[str, Any]
    show: Progress
    file_ids: Iterator[int]
    files: Ahead


def read(
    connection: duckdb.DuckDBPyConnection,
    config: Config,
    sources: Sequence[SourceConfig],
    values: Mapping[str, Any],
    show: Progress,
) -> dict[str, Reading]:
    """Read each of `sources` to its end; an operating error ends the turn of its source and is remembered."""
    newest = connection.execute("SELECT coalesce(max(file_id), 0) FROM source_file").fetchall()[0][0]
    file_ids = count(newest + 1)
    chunks = [
        (source.name, read_lines(
            source.name, [source.path], config.root, _file_cursors(connection, source),
            now_us=values["now_us"], file_ids=file_ids, parses=_is_object, chunk_bytes=CHUNK_BYTES,
            progress=partial(show, source.name),
        ))
        for source in sources if isinstance(source, FileSource)
    ]  # fmt: skip
    with Ahead(chunks) as files:
        import pyarrow.dataset  # noqa: F401 - the engine would, for the first lines: now they are being read meanwhile

        run = _Run(connection, config, values, show, file_ids, files)
        return {source.name: _read(run, source) for source in sources}


def _read(run: _Run, source: SourceConfig) -> Reading:
    """Read one source to its end, and remember how it went."""
    connection, values = run.connection, run.values
    new, error = 0, ""
    try:
        for taken in _taken(run, source):
            new += taken.new
        error = _unreadable(connection, source)
    except (OSError, OperatingError) as trouble:
        error = str(trouble)
    state = {**values, "source": source.name, "kind": source.kind, "up": not error, "error": error}
    connection.begin()
    kept = dialect.run(connection, LEDGER, "source_state_get", state)
    success, watermark = (values["now_us"], values["now_us"]) if not error else (kept[0] if kept else (None, None))
    if isinstance(source, LiveSource):  # some projects may be further than others
        watermark = cloud_logging_live.watermark_us(query_of(source), _cursors(connection, source, LiveCursor))
    if isinstance(source, TableSource):  # the newest instant of a row, which is all that can be known
        reached = bigquery_live.newest(table_query_of(source), _cursors(connection, source, TableCursor))
        watermark = reached and reached.watermark_us
    dialect.run(connection, LEDGER, "source_state_drop", state)
    dialect.run(connection, LEDGER, "source_state_put", {**state, "success": success, "watermark": watermark})
    connection.commit()
    return Reading(new, error)


def _taken(run: _Run, source: SourceConfig) -> Iterator[append.Taken]:
    """Every new piece of the source, taken in."""
    kind, stage = mapping(run.config, source)
    bound = {**run.values, "provider": getattr(source, "provider", "")}
    deliveries = _deliveries(run, source)
    if isinstance(source, LiveSource | TableSource):
        # Piece by piece: quota and price make a page dearer than a commit, so none is fetched twice.
        for delivery in deliveries:
            yield from append.take_all(run.connection, [delivery], kind=kind, stage=stage, values=bound)
        return
    yield from append.take_all(run.connection, deliveries, kind=kind, stage=stage, values=bound)


def _deliveries(run: _Run, source: SourceConfig) -> Iterator[append.Delivery]:
    """Every new piece of the source: of its projects' entries, or of its files."""
    if isinstance(source, LiveSource):
        yield from _live(run, source)
    elif isinstance(source, TableSource):
        yield from _table(run, source)
    else:
        yield from map(partial(_delivery, source.name), run.files.of(source.name))


def _delivery(name: str, chunk: LineChunk) -> append.Delivery:
    """One piece of a file of the source called `name`."""
    return append.Delivery(
        name, chunk.path, chunk.file_id, chunk.table, chunk.lines, chunk.blank, chunk.problems,
        chunk.lines - chunk.table.num_rows - chunk.blank, json.dumps(chunk.cursor.to_json()),
    )  # fmt: skip


def _live(run: _Run, source: LiveSource) -> Iterator[append.Delivery]:
    """New entries of the source's projects. Raises OperatingError at the end, if some could not be read."""
    errors: list[str] = []
    for piece in cloud_logging_live.fetch(
        source.name, query_of(source), _cursors(run.connection, source, LiveCursor), now_us=run.values["now_us"],
        file_ids=run.file_ids, list_page=lister_of(source), quota=QUOTA, calls_a_minute=source.calls_per_minute,
    ):  # fmt: skip
        cursor = piece.cursor
        yield append.Delivery(
            source.name, cursor.path, cursor.file_id, piece.table, piece.lines, 0, piece.problems,
            len(piece.problems), cursor.to_json(),
        )  # fmt: skip
        errors += [piece.error] if piece.error else []
    if errors:
        raise OperatingError("; ".join(errors))


def _table(run: _Run, source: TableSource) -> Iterator[append.Delivery]:
    """New rows of the source's table. Raises OperatingError at the end, if some could not be read."""
    done = 0
    for piece in bigquery_live.fetch(
        table_query_of(source), _cursors(run.connection, source, TableCursor), service_of(source),
        now_us=run.values["now_us"], file_ids=run.file_ids,
    ):  # fmt: skip
        cursor, rows = piece.cursor, piece.table.num_rows
        yield append.Delivery(
            source.name, cursor.path, cursor.file_id, piece.table, rows, 0, (), 0, cursor.to_json()
        )  # fmt: skip
        if rows:
            done += piece.table.nbytes
            run.show(source.name, done, done * max(1, piece.rows_all // cursor.line_no))


def table_query_of(source: TableSource) -> bigquery_live.Query:
    """What is asked of BigQuery for that source."""
    statements = bigquery_live.BILL if isinstance(source, BillSource) else bigquery_live.REQUEST_RESPONSE
    return bigquery_live.Query(source.table, source.since_us, source.overlap_us, statements)


def service_of(source: TableSource) -> BigQuery:
    """What calls BigQuery, or the server that stands in for it."""
    payer = source.project or source.table.rsplit(".", 2)[0]
    at = _host_and_port(source.endpoint)
    return BigQuery(Place(source.table, payer, source.maximum_bytes_billed, source.location, at))


def query_of(source: LiveSource) -> Query:
    """What is asked of Cloud Logging for that source."""
    wanted = presets.narrowed(source.preset, source.filter)
    return Query(source.projects, wanted, source.since_us, source.overlap_us)


def lister_of(source: LiveSource) -> Lister:
    """What calls Cloud Logging, or the server that stands in for it."""
    return http_lister(_host_and_port(source.endpoint))


def _host_and_port(at: Address | None) -> str | None:
    if at is None:
        return None
    return f"[{at.host}]:{at.port}" if ":" in at.host else f"{at.host}:{at.port}"


def _cursors(connection: duckdb.DuckDBPyConnection, source: SourceConfig, kind: type[_Cursor]) -> list[_Cursor]:
    """The places reached in a source that is read live."""
    return [kind.from_json(row[0]) for row in _cursor_texts(connection, source)]


def _file_cursors(connection: duckdb.DuckDBPyConnection, source: SourceConfig) -> list[FileCursor]:
    """The places reached in the files of a source."""
    return [FileCursor.from_json(json.loads(row[0])) for row in _cursor_texts(connection, source)]


def _cursor_texts(connection: duckdb.DuckDBPyConnection, source: SourceConfig) -> list[tuple[str]]:
    """The places reached in a source, as the ledger keeps them."""
    return dialect.run(connection, LEDGER, "cursor_list", {"source": source.name})


def _is_object(text: str) -> bool:
    """Whether an unterminated last line is a whole JSON object."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _unreadable(connection: duckdb.DuckDBPyConnection, source: SourceConfig) -> str:
    """Why a file of the source could not be read, if so: then the source has not been read to its end."""
    if not isinstance(source, FileSource):
        return ""  # what it could not read has been raised
    for cursor in _file_cursors(connection, source):
        if cursor.trouble and cursor.size < 0:
            return f"{cursor.path}: {cursor.trouble}"
    return ""


def mapping(config: Config, source: SourceConfig) -> tuple[str, append.Stage]:
    """The record kind of a source, and what makes rows of its lines."""
    if isinstance(source, RequestResponseLog):
        return "backend_completion", partial(
            request_response.stage, provider=source.provider, account=source.account
        )  # fmt: skip
    if isinstance(source, CompletionLogSource):
        provider, fields = source.provider, source.fields
        return "backend_completion", lambda connection: cloud_logging.stage(connection, provider, fields)
    if isinstance(source, BillSource):
        providers = {s.provider for s in config.sources if isinstance(s, CompletionLogSource)}
        fallback = providers.pop() if len(providers) == 1 else None
        return "billing_line", lambda connection: gcp_billing.stage(connection, config.skus, fallback)
    return "client_call", _call_stage(source)


def _call_stage(source: SourceConfig) -> append.Stage:
    """What makes calls of an observer's lines, or looks at lines that hold none."""
    if isinstance(source, ClientLogSource):
        return WithJobs(observers.stage_client_log, jobs.stage_client)
    if isinstance(source, ClientLogEntries):
        return WithJobs(observers.stage_client_log_entries, jobs.stage_client)
    if isinstance(source, NginxSource):
        return partial(observers.stage_nginx, service=source.service or source.name, wanted=source.routes)
    if isinstance(source, RequestEntries):
        return partial(observers.stage_requests, preset=source.preset, service=source.service, wanted=source.routes)
    if isinstance(source, AuditEntries):
        return observers.stage_audit
    if isinstance(source, JobEntries):
        entries = partial(jobs.stage_entries, provider=source.provider, fields=source.fields)
        return WithJobs(jobs.stage_nothing_else, entries)
    raise UsageError(f"source {source.name}: kind {source.kind} is not available in this version")
