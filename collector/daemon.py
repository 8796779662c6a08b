"""The daemon: runs on schedule, HTTP, and signals, around the latest frozen summary.

A callable that makes one run comes in; served pages, log lines (JSON, on standard error) and an exit code go
out. Whatever a run raises ends that run only: the last good summary stays, with its age. This room refuses to
know what a run does, and no other room may catch `Exception`.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from collector.exporters.landing import page
from collector.exporters.metrics import Exposition, with_failures
from collector.problems import BrokenInvariantError, OperatingError, UsageError
from collector.records import LedgerSummary, RunSummary, instant_text
from collector.web import Answer, Server, listening

STOP_SECONDS_MAX = 4.0  # of the 5 s that a stop may take: the rest is for closing up
REPORT_SECONDS_MAX = 600.0  # how long a drawn report is served before it is drawn anew
REPORT_WAIT_SECONDS = 8.0
REPORT_AGAIN_SECONDS = 3600.0  # after a delivery that failed
OVERDUE_SECONDS = 60.0  # a job this late was not started by a scheduler that lives


class RunOnce(Protocol):
    """One run. With `bill`, a whole pass; without, one that leaves the bills alone: they change rarely."""

    def __call__(self, *, bill: bool) -> RunSummary:
        """What the run did. May raise anything; see `Daemon` for what becomes of it."""
        ...


class Deliver(Protocol):
    """One look at whether a weekly report is due, and its delivery if it is."""

    def __call__(self) -> Sequence[str]:
        """A line for each target that got it. Raises OperatingError where one failed, after the others were tried."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """What a config says there is to do: the run, and its intervals in seconds without and with bills.

    `report_page` draws the newest weekly report as HTML; `report_deliver` sends it at `report_at` (weekday from
    Monday, 0; hour; minute, UTC) to those who lack it. None: there is no such thing here.
    """

    run_once: RunOnce
    collect_seconds: float
    bill_seconds: float
    report_page: Callable[[], str] | None = None
    report_deliver: Deliver | None = None
    report_at: tuple[int, int, int] = (0, 6, 0)


@dataclass(frozen=True)
class View:
    """What is served, swapped whole after each run. `trouble` says why the last run failed, if it did."""

    summary: LedgerSummary | None
    exposition: Exposition
    ran: bool = False
    trouble: str = ""
    runs_failed: int = 0
    invariants_broken: int = 0

    @property
    def unready(self) -> str:
        """Why these are not the figures of a last run that succeeded; empty when they are."""
        return self.trouble or ("" if self.summary and self.ran else "no run has ended since the start")


def wall_clock_us() -> int:
    """Now, in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def json_log() -> Any:
    """A structlog logger of its own: one JSON line an event, on standard error."""
    return structlog.wrap_logger(
        structlog.WriteLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )


class Daemon:
    """Runs `work` on schedule and serves the newest summary; `serve` adds the signals.

    A run that raises BrokenInvariantError, OperatingError or anything else is logged and counted, and the
    last good summary stays. Two runs never overlap: one thread makes them all.
    """

    def __init__(
        self,
        work: Work,
        *,
        listen: str,
        initial: LedgerSummary | None = None,
        now_us: Callable[[], int] = wall_clock_us,
    ) -> None:
        """Binds `listen` (host:port; port 0 takes a free one). OperatingError when that cannot be had."""
        self.log = json_log()
        self._work = work
        self._now_us = now_us
        self._view = View(initial, Exposition(initial).made())
        self._stopping = threading.Event()
        self._running = threading.Lock()
        self._report: tuple[int, str] | None = None  # when it was drawn, and the page
        self._server: Server = listening(listen, self._answers())
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(max_workers=1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )

    @property
    def address(self) -> str:
        """The host:port that is listened on."""
        return self._server.address

    @property
    def view(self) -> View:
        """What is served at this moment."""
        return self._view

    def start(self) -> None:
        """Starts serving and running; the first run, a whole one, begins at once."""
        # A skipped tick is no news: the run that takes long has a line of its own.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._server.start()
        self._schedule()
        self._scheduler.start()
        self.log.info("listening", address=self.address)

    def _schedule(self) -> None:
        """Puts both jobs on the schedule; the whole pass at once, so that new sources show."""
        add, work = self._scheduler.add_job, self._work
        soon = {"next_run_time": datetime.now(UTC)}
        for name, bill, seconds, first in (
            ("collect", False, work.collect_seconds, {}),
            ("bill", True, work.bill_seconds, soon),
        ):
            run = partial(self._run, bill=bill)
            add(run, "interval", seconds=seconds, id=name, name=name, replace_existing=True, **first)
        if work.report_deliver is None:
            return
        weekday, hour, minute = work.report_at
        add(self._deliver, "cron", day_of_week=weekday, hour=hour, minute=minute, id="report", replace_existing=True)
        # What was due while nothing ran is delivered now, after the first run: both wait for the one thread.
        self._deliver_at(datetime.now(UTC) + timedelta(seconds=1))

    def _deliver_at(self, moment: datetime) -> None:
        """Looks once more, at `moment`, whether a report is to be delivered."""
        self._scheduler.add_job(self._deliver, "date", run_date=moment, id="report-again", replace_existing=True)

    def change(self, work: Work) -> None:
        """Goes on with other `work`; a run that is under way ends with the old."""
        self._work = work
        self._schedule()

    def stop(self, wait_seconds: float = STOP_SECONDS_MAX) -> bool:
        """Stops; True if no run was left behind, False if one did not end within `wait_seconds`."""
        self._stopping.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        ended = self._running.acquire(timeout=wait_seconds)
        if ended:  # a job that was queued meanwhile must find the lock free to see that it is over
            self._running.release()
        self._server.stop()
        return ended

    @contextmanager
    def serving(self) -> Iterator["Daemon"]:
        """Serves the summary it holds without running anything (for `demo`, and for benchmarks)."""
        self._view = replace(self._view, ran=True)
        self._server.start()
        try:
            yield self
        finally:
            self._server.stop()

    def _run(self, *, bill: bool) -> None:
        """The job: one run, whatever comes of it."""
        with self._running:
            if self._stopping.is_set():
                return
            started_us = self._now_us()
            try:
                done = self._work.run_once(bill=bill)
                self._view = self._after(done)
            except BrokenInvariantError as broken:
                self._failed("invariant", broken, started_us, bill=bill)
            except (OperatingError, UsageError) as failed:
                self._failed("failed", failed, started_us, bill=bill)
            except Exception as unforeseen:
                self.log.exception("unforeseen")
                self._failed("failed", unforeseen, started_us, bill=bill)
            else:
                self._log_run(done, bill=bill)

    def _deliver(self) -> None:
        """The job: the weekly report to those who lack it; whatever fails is tried again in an hour."""
        with self._running:
            if self._stopping.is_set() or self._work.report_deliver is None:
                return
            try:
                for line in self._work.report_deliver():
                    self.log.info("report", delivered=line)
            except Exception as failed:  # noqa: BLE001 (a report that fails must not end the daemon)
                self.log.error("report", error=str(failed), error_type=type(failed).__name__)  # noqa: TRY400
                self._deliver_at(datetime.now(UTC) + timedelta(seconds=REPORT_AGAIN_SECONDS))

    def _after(self, done: RunSummary) -> View:
        """The view after a run that came back; its ledger's counts include broken runs before it."""
        broken = done.run.outcome == "invariant"
        counted = with_failures(done.ledger, failed=self._view.runs_failed)
        trouble = "The books did not add up, and the run was rolled back." if broken else ""
        return View(done.ledger, Exposition(counted).made(), True, trouble, self._view.runs_failed)

    def _failed(self, outcome: str, error: Exception, started_us: int, *, bill: bool) -> None:
        """Keeps the last good summary, counts the run in it, and says so."""
        before = self._view
        failed = before.runs_failed + (outcome == "failed")
        broken = before.invariants_broken + (outcome == "invariant")
        held = before.summary
        counted = with_failures(held, failed=failed, invariant=broken) if held else None
        trouble = str(error) or type(error).__name__
        self._view = View(held, Exposition(counted).made(), True, trouble, failed, broken)
        self.log.error(
            "run",
            outcome=outcome,
            bill=bill,
            error=str(error),
            error_type=type(error).__name__,
            duration_ms=(self._now_us() - started_us) // 1000,
            figures_as_of=instant_text(held.as_of_us) if held else None,
        )

    def _log_run(self, done: RunSummary, *, bill: bool) -> None:
        """The one canonical line of a run."""
        run = done.run
        write = self.log.info if run.outcome == "ok" else self.log.warning
        write(
            "run",
            run_id=run.run_id,
            outcome=run.outcome,
            bill=bill,
            duration_ms=run.duration_ms,
            rows_new=run.rows_new,
            sources_failed=list(done.sources_failed),
            as_of=instant_text(done.ledger.as_of_us),
            counts=dict(done.counts),
        )

    def alive(self) -> bool:
        """Whether the scheduler does its work: running, and no job is long overdue."""
        if not self._scheduler.running:
            return False
        due = [job.next_run_time for job in self._scheduler.get_jobs()]
        return all((datetime.now(UTC) - at).total_seconds() < OVERDUE_SECONDS for at in due)

    def _answers(self) -> dict[str, Callable[[str, str], Answer]]:
        """What each path answers, given the request's Accept and Accept-Encoding."""
        return {
            "/metrics": self._metrics,
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/report": self._report_page,
            "/": self._landing,
        }

    def _metrics(self, accept: str, accept_encoding: str) -> Answer:
        body, headers = self._view.exposition.answer(accept, accept_encoding)
        return Answer(200, body, headers)

    def _healthz(self, _accept: str, _encoding: str) -> Answer:
        return Answer.text(200, "ok") if self.alive() else Answer.text(503, "the scheduler does not run")

    def _readyz(self, _accept: str, _encoding: str) -> Answer:
        why = self._view.unready
        return Answer.text(503, f"not ready: {why}") if why else Answer.text(200, "ready")

    def _report_page(self, _accept: str, _encoding: str) -> Answer:
        """The newest weekly report, drawn when it is asked for and kept for a while: drawing takes seconds."""
        draw, held = self._work.report_page, self._report
        if draw is None:
            return Answer.text(404, "no report is drawn here")
        if held is not None and self._now_us() - held[0] < REPORT_SECONDS_MAX * 1e6:
            return Answer.html(held[1])
        # Never beside a run: the ledger is one process's, and one thing's at a time.
        if not self._running.acquire(timeout=REPORT_WAIT_SECONDS):
            return Answer.text(503, "a run is under way; the report can be drawn when it is done")
        try:
            self._report = held = (self._now_us(), draw())
        except (OperatingError, UsageError) as failed:
            return Answer.text(503, f"no report: {failed}")
        finally:
            self._running.release()
        return Answer.html(held[1])

    def _landing(self, _accept: str, _encoding: str) -> Answer:
        view = self._view
        return Answer.html(page(view.summary, self._now_us(), trouble=view.trouble, paths=self._answers()))


def serve(
    work: Work,
    *,
    listen: str,
    initial: LedgerSummary | None = None,
    reload: Callable[[], Work] | None = None,
) -> int:
    """Serves until SIGTERM or SIGINT, and returns 0. SIGHUP takes new `Work` from `reload`, or keeps the old.

    Call it from the main thread. OperatingError when `listen` cannot be had. A run that does not end in time
    is left behind by ending the process, as a kill would: the ledger's transactions are made for that.
    """
    daemon = Daemon(work, listen=listen, initial=initial)
    with _signals() as arrived:
        daemon.start()
        while (number := arrived()) == signal.SIGHUP:
            _reload(daemon, reload)
        daemon.log.info("stopping", signal=signal.Signals(number).name)
        ended = daemon.stop()
    daemon.log.info("stopped", run_left_behind=not ended)
    if not ended:
        # Python would wait for the run's thread without end before it exits.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


@contextmanager
def _signals() -> Iterator[Callable[[], int]]:
    """Gives what waits for the next of the signals and tells its number; the former handlers come back at the end.

    The kernel may hand a signal to any thread. Python runs handlers in the main thread alone and does not wake it for
    them; the number that it writes into a pipe (`set_wakeup_fd`) does.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    former = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield partial(_number, reader, frozenset(numbers))
    finally:
        signal.set_wakeup_fd(former)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)


def _number(reader: int, numbers: frozenset[int]) -> int:
    """The next of `numbers` to come out of the pipe; whoever else has a handler writes there too."""
    while (number := os.read(reader, 1)[0]) not in numbers:
        pass
    return number


def _reload(daemon: Daemon, reload: Callable[[], Work] | None) -> None:
    """Takes the config anew, or keeps the old and says why."""
    if reload is None:
        daemon.log.warning("config kept", error="this command reads its config only once")
        return
    try:
        work = reload()
    except Exception as refused:  # noqa: BLE001 (whatever is wrong with the new config, the old one works)
        daemon.log.error("config kept", error=str(refused), error_type=type(refused).__name__)  # noqa: TRY400
        return
    daemon.change(work)
    daemon.log.info("config read again", collect_seconds=work.collect_seconds, bill_seconds=work.bill_seconds)
