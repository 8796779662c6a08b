"""One run: the only place that knows the order of the rooms.

In: a Config, the run's now, and what to do with progress. Out: a RunSummary. Each piece of a file is committed
with its place; everything that is derived is one later transaction, checked by every invariant before it is
committed. A source that fails is skipped, its place stays; a broken invariant rolls the derived part back.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files as resource_files
from typing import Any

import duckdb
import pyarrow as pa

from collector.config import BillSource, CompletionLogSource, Config, Observer, TableSource
from collector.correlate import jobs
from collector.correlate.retries import chain
from collector.correlate.steps import correlate
from collector.costing import contradictions
from collector.costing.steps import cost, keep
from collector.ledger import append, counters, dialect, store
from collector.ledger.summary import BOUNDS_S, summarise
from collector.problems import BrokenInvariantError, UsageError
from collector.reading import Progress, read
from collector.records import LedgerSummary, RunRecord, RunSummary, instant_text
from collector.sources import skus

LEDGER = "collector.ledger"
LOCK_WAIT_S = 10.0
SILENCE_US = 24 * 3_600_000_000


def _no_progress(_source: str, _done: int, _total: int) -> None:
    """Nobody watches."""


def run_once(
    config: Config,
    *,
    now_us: int,
    bill: bool = True,
    show: Progress = _no_progress,
    wait_s: float = LOCK_WAIT_S,
) -> RunSummary:
    """One whole pass: every source to its end, everything correlated, priced, checked and committed.

    With `bill` false bills, and what else BigQuery is asked for, are left alone. Raises UsageError when `now_us`
    lies before the last run, LedgerBusyError when another process holds the ledger, BrokenInvariantError when the
    books do not add up (what was read stays, what was derived is rolled back).
    """
    began = time.monotonic()
    with store.opened(config.ledger_path, wait_s=wait_s, sleep=time.sleep) as connection:
        values = _values(connection, config, now_us)
        wanted = [one for one in config.sources if bill or not isinstance(one, BillSource | TableSource)]
        readings = read(connection, config, wanted, values, show)
        failed = tuple(name for name, reading in readings.items() if reading.error)
        new = sum(reading.new for reading in readings.values())
        outcome = "problem" if failed else "ok"
        try:
            counts = _derive(connection, config, values, (outcome, new, began))
        except BrokenInvariantError:
            _remember_run(connection, values, ("invariant", new, began))
            raise
        summary = summarise(connection, values)
    return RunSummary(summary.runs[0], failed, {"rows_new": new, **counts}, summary)


def latest(config: Config, *, as_of_us: int | None = None, wait_s: float = LOCK_WAIT_S) -> LedgerSummary:
    """What was known by `as_of_us`, or by the last committed run."""
    with reading(config, as_of_us=as_of_us, wait_s=wait_s) as (connection, values):
        return summarise(connection, values)


@contextmanager
def reading(
    config: Config, *, as_of_us: int | None = None, wait_s: float = LOCK_WAIT_S
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Mapping[str, Any]]]:
    """The ledger for looking at, as it was known by `as_of_us`; nothing is written."""
    if not config.ledger_path.exists():
        raise UsageError(f"ledger {config.ledger_path}: there is none yet. Make a first run: orphaned run --once")
    with store.opened(config.ledger_path, wait_s=wait_s, sleep=time.sleep) as connection:
        last = connection.execute("SELECT max(recorded_at_us) FROM run").fetchall()[0][0]
        if last is None:
            raise UsageError(f"ledger {config.ledger_path}: no run has been committed yet. Run: orphaned run --once")
        now_us = last if as_of_us is None else as_of_us
        dialect.set_variables(connection, {"now_us": now_us})
        if as_of_us is not None:
            dialect.script(connection, LEDGER, ["as_of"])
        yield connection, {
            "now_us": now_us, "currency": config.currency, "horizon_us": config.correlation.horizon_us,
        }  # fmt: skip


def _values(connection: duckdb.DuckDBPyConnection, config: Config, now_us: int) -> dict[str, Any]:
    """What the steps of this run are told; a new run number is taken and kept even if the run dies."""
    last = connection.execute("SELECT max(recorded_at_us) FROM run").fetchall()[0][0]
    if last is not None and now_us < last:
        raise UsageError(
            f"--as-of {instant_text(now_us)} lies before the last run ({instant_text(last)}): knowledge is recorded in "
            "the order of time. Use a later instant, or another ledger."
        )
    run_id = append.progress(connection, "run_id") + 1
    append.set_progress(connection, "run_id", run_id)
    return {
        "run_id": run_id, "now_us": now_us, "currency": config.currency,
        "horizon_us": config.correlation.horizon_us, "skew_us": config.correlation.clock_skew_us,
        "threshold": config.correlation.match_threshold,
        "settle_after_us": config.billing.settle_after_us,
        "with_credits": config.billing.credits == "include",
    }  # fmt: skip


# Deriving -----------------------------------------------------------------------------------------------


def _derive(
    connection: duckdb.DuckDBPyConnection,
    config: Config,
    values: Mapping[str, Any],
    told: tuple[str, int, float],
) -> dict[str, int]:
    """Everything from matching to the counters, in one transaction that the invariants have passed."""
    batch_id = append.progress(connection, "batch_id")
    bound = {**values, "from_batch": append.progress(connection, "derived_batch"), "to_batch": batch_id}
    connection.begin()
    try:
        _tell_sources(connection, config, values)
        correlate(connection, bound, _by_hop(config))
        jobs.draw(connection, bound)
        cost(connection, bound, config.policies, config.prices, skus.normalised_model)
        chain(connection, bound)
        check_invariants(connection, bound)
        keep(connection)
        contradictions.warn(connection, bound, config.policies)
        counters.count_verdicts(connection, bound)
        append.set_progress(connection, "derived_batch", batch_id)
        counts = {
            "verdicts_changed": _rows(connection, "verdict_changed"),
            "buckets_changed": _rows(connection, "bucket_changed"),
        }
        _note_run(connection, values, told)
        dialect.checkpointed(connection)
    except BaseException:
        connection.rollback()
        raise
    return counts


def _rows(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(connection.table(table).count("*").fetchall()[0][0])


def _observers(config: Config) -> Sequence[Observer]:
    return [source for source in config.sources if isinstance(source, Observer)]


def _by_hop(config: Config) -> list[str]:
    """The observers, innermost first."""
    return [s.name for s in sorted(_observers(config), key=lambda s: s.hop)]


def _tell_sources(connection: duckdb.DuckDBPyConnection, config: Config, values: Mapping[str, Any]) -> None:
    """Temporary tables: who observes from where, and how far each provider's completion log has been read."""
    read_to = {
        row[0]: row[1] for row in connection.execute("SELECT source, watermark_at_us FROM source_state").fetchall()
    }
    now_us = values["now_us"]
    seen = [(s.name, s.hop, s.absorbs, min(read_to.get(s.name) or 0, now_us)) for s in _observers(config)]
    connection.register("observer", pa.table({
        "source": pa.array([row[0] for row in seen], pa.string()),
        "hop": pa.array([row[1] for row in seen], pa.int32()),
        "absorbs": pa.array([row[2] for row in seen], pa.bool_()),
        "watermark_at_us": pa.array([row[3] for row in seen], pa.int64()),
    }))  # fmt: skip
    bills = [s.name for s in config.sources if isinstance(s, BillSource)]
    connection.register("bill_source", pa.table({
        "source": pa.array(bills, pa.string()), "listed_no": pa.array(range(len(bills)), pa.int32()),
    }))  # fmt: skip
    marks: dict[str, int] = {}
    for source in config.sources:
        if isinstance(source, CompletionLogSource):
            mark = min(read_to.get(source.name) or 0, now_us)
            marks[source.provider] = min(marks.get(source.provider, now_us), mark)
    reach = {p: now_us if now_us - mark >= SILENCE_US else mark for p, mark in marks.items()}
    for name, column, held in (
        ("completion_source", "watermark_at_us", marks),
        ("provider_reach", "reach_at_us", reach),
    ):
        connection.register(name, pa.table({
            "provider": pa.array(list(held), pa.string()), column: pa.array(list(held.values()), pa.int64()),
        }))  # fmt: skip


def check_invariants(connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any]) -> None:
    """Raise BrokenInvariantError when any file of ledger/invariants selects a row."""
    for name in invariant_names():
        rows = dialect.run(connection, "collector.ledger.invariants", name, values)
        if rows:
            raise BrokenInvariantError(
                f"invariant {name} is broken by {len(rows)} rows, the first: {rows[0]}. Nothing of this run's results "
                "was kept; the last good figures stand. This is a defect of orphaned-inference: please report it."
            )


def invariant_names() -> list[str]:
    """The names of all invariants, in the order in which they are checked."""
    folder = resource_files("collector.ledger.invariants")
    return sorted(item.name[:-4] for item in folder.iterdir() if item.name.endswith(".sql"))


def _note_run(connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any], told: tuple[str, int, float]) -> None:
    """Put the run on record, and let the counters of runs grow."""
    outcome, new, began = told
    milliseconds = round((time.monotonic() - began) * 1000)
    record = RunRecord(values["run_id"], values["now_us"], outcome, milliseconds, new)
    dialect.execute(
        connection,
        "INSERT INTO run VALUES ($run_id, $recorded_at_us, $outcome, $duration_ms, $rows_new)",
        {name: getattr(record, name) for name in ("run_id", "recorded_at_us", "outcome", "duration_ms", "rows_new")},
    )
    counters.note(connection, values, "runs_total", [outcome], 1)
    if outcome == "invariant":
        counters.note(connection, values, "invariant_violations_total", [], 1)
    counters.note_duration(connection, values, milliseconds, BOUNDS_S)
    counters.fold(connection, values)


def _remember_run(
    connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any], told: tuple[str, int, float]
) -> None:
    """Put a run on record whose results were rolled back."""
    connection.begin()
    _note_run(connection, values, told)
    connection.commit()
