"""What `orphaned run` does: one whole pass with a summary for a person, or the daemon until a signal.

A Config comes in. The clock is the daemon's; this module decides only what fails a whole pass.
"""

from collections.abc import Callable
from pathlib import Path

from collector import pipeline, reporting
from collector.check import readable
from collector.config import Config, load
from collector.daemon import Work, serve, wall_clock_us
from collector.exporters import metrics, status
from collector.exporters.bars import bars
from collector.problems import LedgerBusyError, OperatingError, UsageError
from collector.records import LedgerSummary, RunSummary


def run_one_pass(config: Config, *, now_us: int | None, metrics_file: Path | None, say: Callable[[str], None]) -> bool:
    """One pass as of `now_us` (None: now); `say` gets the summary. True if a whole source could not be read.

    One bad file among good ones is a problem on record and fails nothing. OperatingError when the metrics
    cannot be written.
    """
    with bars("reading, matching, pricing") as show:
        done = pipeline.run_once(config, now_us=wall_clock_us() if now_us is None else now_us, show=show)
    for line in status.after_run(done.ledger, new=done.run.rows_new, duration_ms=done.run.duration_ms):
        say(line)
    lost = _say_lost(config, done, say)
    if metrics_file is not None:
        _write_metrics(done.ledger, metrics_file)
    return lost


def _write_metrics(summary: LedgerSummary, path: Path) -> None:
    try:
        metrics.write_textfile(summary, path)
    except OSError as error:
        why = error.strerror or error
        raise OperatingError(f"{path}: cannot be written: {why}. The run itself has been committed") from None


def _say_lost(config: Config, done: RunSummary, say: Callable[[str], None]) -> bool:
    """Name each source of which no file could be read."""
    errors = {one.source: one.error for one in done.ledger.sources}
    lost = [one for one in config.sources if one.name in done.sources_failed and not readable(one, config)]
    for source in lost:
        why = errors.get(source.name, "")
        say(f"source {source.name} could not be read: {why}. Everything else has been committed")
    return bool(lost)


def serve_always(config: Config) -> int:
    """The daemon, until SIGTERM or SIGINT; SIGHUP reads the config again (but for where it listens)."""
    address = config.http.listen
    host = f"[{address.host}]" if ":" in address.host else address.host
    return serve(
        work_of(config),
        listen=f"{host}:{address.port}",
        initial=_known(config),
        reload=lambda: work_of(load(config.path)),
    )


def work_of(config: Config) -> Work:
    """What the daemon has to do by this config."""

    def once(*, bill: bool) -> RunSummary:
        return pipeline.run_once(config, now_us=wall_clock_us(), bill=bill)

    at = config.schedule.report
    return Work(
        once,
        config.schedule.collect_us / 1e6,
        config.schedule.bill_us / 1e6,
        report_page=lambda: report_page(config),
        report_deliver=(lambda: _deliver(config)) if reporting.has_targets(config) else None,
        report_at=(at.weekday, at.hour, at.minute),
    )


def report_page(config: Config) -> str:
    """The newest weekly report as the daemon serves it."""
    return reporting.drawn(config).html


def _deliver(config: Config) -> list[str]:
    """Who got the weekly report now. OperatingError where somebody still lacks it."""
    sent = reporting.deliver(config, now_us=wall_clock_us())
    if sent is None:
        return []
    failed = [f"{one.target}: {one.error}" for one in sent.outcomes if one.error]
    if failed:
        raise OperatingError(f"{sent.week.name}: {'; '.join(failed)}")
    return [f"{sent.week.name}: {one.target}" for one in sent.outcomes]


def _known(config: Config) -> LedgerSummary | None:
    """What the last run left, to serve until the first one of this process is done; None: nothing yet."""
    try:
        return pipeline.latest(config, wait_s=0.0)
    except (LedgerBusyError, UsageError):
        return None  # nothing yet, or not now: the first run tells what is wrong
