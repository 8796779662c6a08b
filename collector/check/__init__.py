"""`orphaned check`: tries what a config says, and says all that is wrong with it at once.

A Config comes in; `Finding`s go out, each with its place and what to do. The first thousand lines of every
source are mapped just as a run would map them, in an engine of their own. Nothing is written: the ledger is
only looked at.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from glob import escape
from typing import Literal

import duckdb
import pyarrow as pa

from collector.config import (
    AuditEntries,
    BillSource,
    CompletionLogSource,
    Config,
    FileSource,
    InferenceMetadata,
    LiveSource,
    Observer,
    SourceConfig,
    TableSource,
)
from collector.costing import prices
from collector.ledger import append, dialect
from collector.ledger.append import Stage
from collector.ledger.job_events import WithJobs
from collector.problems import Problem, UsageError
from collector.reading import QUOTA, lister_of, mapping, query_of, service_of, table_query_of
from collector.sources import bigquery_api, bigquery_live, cloud_logging_live
from collector.sources.cloud_logging_api import Caller, CallError
from collector.sources.files import read_lines
from collector.sources.lines import LINES
from collector.sources.listing import Found, listed, opened, reason
from collector.sources.skus import provider_of

LINES_MAX = 1000
FILES_MAX = 1000
CHUNK_BYTES = 256 << 10
PACKAGE = "collector.check"

Level = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: how bad it is, where, and what it is about (with a remedy where there is one)."""

    level: Level
    place: str
    message: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines of one file or project, and what of them is none."""

    place: str
    table: pa.Table = field(default_factory=LINES.empty_table)
    problems: tuple[Problem, ...] = ()
    blank: int = 0


@dataclass(slots=True)
class Trial:
    """What the first lines of one source are.

    `models`: (provider, model) of what was read. `calls`: (model, method) -> how many an audit log shows.
    """

    findings: list[Finding] = field(default_factory=list)
    models: set[tuple[str, str]] = field(default_factory=set)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)


def readable(source: SourceConfig, config: Config) -> bool:
    """Whether at least one file of the source can be read, or none is there; False for what is no file."""
    if not isinstance(source, FileSource):
        return False
    found = listed([source.path], config.root, set())
    return not found or any(not one.trouble and os.access(one.path, os.R_OK) for one in found)


def findings(config: Config, *, now_us: int) -> Iterator[Finding]:
    """Everything there is to say about a config that has been read without a mistake."""
    yield Finding("ok", str(config.path), f"the config is right: {len(config.sources)} sources")
    yield from _ledger(config)
    trials = {source.name: _trial(config, source, now_us) for source in config.sources}
    for trial in trials.values():
        yield from trial.findings
    yield from _completions(config, trials)
    yield from _prices(config, trials)
    yield from _delivery(config)


def _delivery(config: Config) -> Iterator[Finding]:
    """Whom the weekly report goes to, or why it cannot; nothing is sent."""
    try:
        targets = config.report.targets(config.root, os.environ)
    except UsageError as error:
        message = f"{error}. Set it for the daemon, or no report can be delivered"
        yield Finding("error", str(config.path), message)
        return
    for target in targets:
        yield Finding("ok", target.name, "gets the weekly report; that it arrives was not tried")


def _ledger(config: Config) -> Iterator[Finding]:
    """Whether the ledger can be used: looked at, never written."""
    path = config.ledger_path
    if path.exists():
        if not os.access(path, os.R_OK | os.W_OK):
            yield Finding("error", str(path), "the ledger cannot be written: give this user the right to")
            return
        try:
            duckdb.connect(str(path), read_only=True).close()
        except duckdb.IOException as error:
            if "lock" in str(error).lower():
                yield Finding("note", str(path), "another process has it open: a run is under way")
            else:
                first = str(error).splitlines()[0]
                yield Finding("error", str(path), f"it is no ledger: {first}. Point ledger.path elsewhere")
        return
    folder = next((one for one in path.parents if one.exists()), path.parent)
    if not os.access(folder, os.W_OK):
        yield Finding("error", str(folder), "no ledger can be made here: the directory is not writable")


# One source -----------------------------------------------------------------------------------------------


def _trial(config: Config, source: SourceConfig, now_us: int) -> Trial:
    """The first lines of one source, mapped as a run would map them."""
    trial = Trial()
    if isinstance(source, InferenceMetadata):
        trial.findings += _guessed(source)
    _kind, stage = mapping(config, source)
    with duckdb.connect() as engine:
        dialect.script(engine, "collector.ledger", ["macros"])
        _map(engine, source, stage, _batches(config, source, trial, now_us), trial)
    return trial


def _guessed(source: InferenceMetadata) -> Iterator[Finding]:
    """Names that nobody has confirmed."""
    if source.guessed:
        message = (
            f"preset {source.preset}: the names of these fields are our guess, because Google documents what an entry "
            f"holds but not how it is called: {', '.join(source.guessed)}. Capture one entry (gcloud logging read "
            "--limit=1 --format=json), compare it, and say what differs under `fields`"
        )
        yield Finding("warning", f"source {source.name}", message)


def _batches(config: Config, source: SourceConfig, trial: Trial, now_us: int) -> Iterator[Batch]:
    """The first lines of the source, wherever it is read from."""
    if isinstance(source, LiveSource):
        yield from _entries(source, trial, now_us)
    if isinstance(source, FileSource):
        yield from _lines(config, source, trial)
    if isinstance(source, TableSource):
        trial.findings += _price_of_reading(source, now_us)


def _price_of_reading(source: TableSource, now_us: int) -> Iterator[Finding]:
    """What a first read of the table would be billed for, and whether it may; BigQuery tells it for nothing."""
    place, service = f"source {source.name}", service_of(source)
    try:
        export = service.export()
        size = service.bytes_of(bigquery_live.first_read(table_query_of(source), now_us), export)
    except bigquery_api.CallError as error:
        yield Finding("error", place, str(error))
        return
    column = table_query_of(source).statements.column
    if export.partitioned_by not in {bigquery_api.INGESTED, column}:
        by = f"is partitioned by {export.partitioned_by}" if export.partitioned_by else "has no partitions"
        message = f"{source.table} {by}, not by ingestion or {column}: every read is billed for all of its rows"
        yield Finding("warning", place, message)
    said = f"a first read is billed for {_mib(size)} (dry run); maximum_bytes_billed is "
    said += _mib(source.maximum_bytes_billed)
    if size > source.maximum_bytes_billed:
        yield Finding("error", place, f"{said}: it will be refused. Raise it, or shorten `since`")
    else:
        yield Finding("ok", place, said)


def _mib(size: int) -> str:
    return f"{-(-size // bigquery_api.MIB):,} MiB"


def _entries(source: LiveSource, trial: Trial, now_us: int) -> Iterator[Batch]:
    """Some entries of each project, by one call each; why not, where there are none to be had."""
    caller = Caller(lister_of(source), QUOTA, source.calls_per_minute)
    query = query_of(source)
    share = max(1, LINES_MAX // len(query.projects))
    for project in query.projects:
        ask = cloud_logging_live.sample(query, project, now_us=now_us, entries=share)
        try:
            page = caller.page(ask)
        except CallError as error:
            trial.findings.append(Finding("error", f"source {source.name}", str(error)))
            continue
        yield Batch(f"projects/{project}", cloud_logging_live.lines_of(page.entries, 0))


def _lines(config: Config, source: FileSource, trial: Trial) -> Iterator[Batch]:
    """The first lines of each file; findings for a source without any, and for those that cannot be read."""
    found = listed([source.path], config.root, set())
    if not found:
        message = f"no file matches {source.path} in {config.root}: mend `path`, or wait for the first file"
        trial.findings.append(Finding("error", f"source {source.name}", message))
    good = [one for one in found[:FILES_MAX] if not _unreadable(one, trial)]
    left = LINES_MAX
    for one in good:
        if left <= 0:
            yield Batch(one.shown)
            continue
        chunks = read_lines(
            source.name, [escape(one.shown)], config.root, [], now_us=0, file_ids=iter([1]), parses=_is_object,
            chunk_bytes=CHUNK_BYTES,
        )  # fmt: skip
        chunk = next(chunks, None)  # no more is read than this
        left -= chunk.lines if chunk else 0
        yield (Batch(one.shown, chunk.table, chunk.problems, chunk.blank) if chunk else Batch(one.shown))


def _unreadable(one: Found, trial: Trial) -> bool:
    """Whether a file cannot be opened; then it is a finding."""
    trouble = one.trouble
    if not trouble:
        try:
            opened(one).close()
        except OSError as error:
            trouble = reason(error)
    if trouble:
        message = f"cannot be read: {trouble}. Give this user the right to, or exclude it in `path`"
        trial.findings.append(Finding("error", one.shown, message))
    return bool(trouble)


def _map(
    engine: duckdb.DuckDBPyConnection,
    source: SourceConfig,
    stage: Stage,
    batches: Iterator[Batch],
    trial: Trial,
) -> None:
    """Count the fates of the first lines, and keep an example of each that is none."""
    tally = {"record": 0, "problem": 0, "ignored": 0}
    examples: dict[str, str] = {}
    places = 0
    for batch in batches:
        places += 1
        for problem in batch.problems:
            examples.setdefault(problem.message, problem.place)
        tally["problem"] += len(batch.problems)
        tally["ignored"] += batch.blank
        lines = batch.table.slice(0, LINES_MAX)
        if not lines.num_rows:
            continue
        dialect.set_variables(engine, {"source": source.name, "file_id": 1, "batch_id": 1})
        engine.register("line_batch", append.with_file(lines, 1))
        stage(engine)
        for fate, count, line_no in dialect.run(engine, PACKAGE, "fate"):
            kind = {None: "record", "ignored": "ignored"}.get(fate, "problem")
            tally[kind] += count
            if kind == "problem":
                examples.setdefault(fate, f"{batch.place}:{line_no}")
        for fate, count, line_no in _job_fates(engine, stage):
            tally["ignored"] -= count  # by the mapping of calls, which knows no jobs
            tally["problem" if fate else "record"] += count
            if fate:
                examples.setdefault(fate, f"{batch.place}:{line_no}")
        _note_records(engine, source, trial)
    if places:
        trial.findings += _counted(source, places, tally, examples)
        if isinstance(source, AuditEntries):
            trial.findings += _inventory(source, trial)


def _job_fates(engine: duckdb.DuckDBPyConnection, stage: Stage) -> list[tuple[str | None, int, int]]:
    """What becomes of the lines that tell of jobs: (what is wrong, count, first line); none where none can be."""
    if not isinstance(stage, WithJobs):
        return []
    stage.about_jobs(engine)
    return [(fate, count, line_no) for fate, count, line_no in dialect.run(engine, PACKAGE, "job_fate")]


def _is_object(text: str) -> bool:
    """Whether an unterminated last line is whole."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _note_records(engine: duckdb.DuckDBPyConnection, source: SourceConfig, trial: Trial) -> None:
    """The models that the records name; of a bill, the SKUs that no rule understands; of an audit log, its calls."""
    if isinstance(source, AuditEntries):
        trial.calls.update({(model, method): count for model, method, count in dialect.run(engine, PACKAGE, "audit")})
        return
    if not isinstance(source, BillSource):
        trial.models |= set(dialect.run(engine, PACKAGE, "model"))
        return
    known = {finding.message for finding in trial.findings}
    for service, sku, count in dialect.run(engine, PACKAGE, "sku"):
        message = (
            f'{count} lines of {service} with the SKU "{sku}" name no known model and usage: their cost will '
            "stand as unattributed. If it is inference, add a rule for it under `skus`"
        )
        if provider_of(service) and message not in known:
            trial.findings.append(Finding("warning", f"source {source.name}", message))


def _counted(source: SourceConfig, places: int, tally: dict[str, int], examples: dict[str, str]) -> Iterator[Finding]:
    place = f"source {source.name}"
    kind = "project" if isinstance(source, LiveSource) else "file"
    many = f"{places:,} {kind}{'' if places == 1 else 's'}"
    said = f"{many}; of the first {sum(tally.values()):,} lines {tally['record']:,} are records, "
    said += f"{tally['problem']:,} problems, {tally['ignored']:,} ignored"
    if not sum(tally.values()):
        yield Finding("note", place, f"{many}, and not one line in them yet")
    elif tally["record"] or (isinstance(source, AuditEntries) and tally["ignored"]):
        yield Finding("ok", place, said)
    elif tally["problem"]:
        yield Finding("error", place, f"{said}: is `kind: {source.kind}` right, and are the fields?")
    else:
        yield Finding("warning", place, f"{said}: are `kind: {source.kind}` and its routes or fields right?")
    for message, where in examples.items():
        yield Finding("warning", where, message)


def _inventory(source: AuditEntries, trial: Trial) -> Iterator[Finding]:
    """What an audit log is good for: which models are called, and how often."""
    place, total = f"source {source.name}", trial.calls.total()
    if total:
        calls = ", ".join(f"{model} {method} {count:,}" for (model, method), count in sorted(trial.calls.items()))
        message = f"{total:,} inference calls among them: {calls}. None is stored: a run needs tokens and ends"
        yield Finding("ok", place, message)
        return
    message = (
        "no inference call among them. Data Access audit logs are off by default, and to an account without "
        "roles/logging.privateLogViewer Logging shows none and says nothing"
    )
    yield Finding("warning", place, message)


# Between sources ------------------------------------------------------------------------------------------


def _completions(config: Config, trials: dict[str, Trial]) -> Iterator[Finding]:
    """Providers that are called, and whose completions no source logs; and those that several log."""
    logs: dict[str, list[str]] = {}
    for source in config.sources:
        if isinstance(source, CompletionLogSource):
            logs.setdefault(source.provider, []).append(source.name)
    for provider, names in logs.items():
        if len(names) > 1:
            message = (
                f"sources {', '.join(names)} all log completions of {provider}: an abort waits for the "
                "slowest of them, and a completion that several have counts once. Right for parts of one log"
            )
            yield Finding("note", str(config.path), message)
    called = {
        provider: source.name
        for source in config.sources
        if isinstance(source, Observer)
        for provider, _ in trials[source.name].models
    }
    for provider, name in sorted(called.items()):
        if provider not in logs:
            message = f"it calls {provider}, whose completions no source logs: its aborts are only assumed"
            yield Finding("warning", f"source {name}", message)


def _prices(config: Config, trials: dict[str, Trial]) -> Iterator[Finding]:
    """Models that no price is known for."""
    used = {
        (source.provider, model): source.name
        for source in config.sources
        if isinstance(source, CompletionLogSource)
        for _, model in trials[source.name].models
    }
    for (provider, model), name in sorted(used.items()):
        if not _priced(prices.price_rows(config.prices, [(provider, model)]), provider, model):
            message = f"no price is known for {model} at {provider}: add one under `prices`"
            yield Finding("warning", f"source {name}", message)


def _priced(rows: Iterable[prices.PriceRow], provider: str, model: str) -> bool:
    return any(row.model == model and row.provider in {None, provider} for row in rows)
