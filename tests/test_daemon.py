"""The daemon: what each path answers, what becomes of a run that fails, and how it stops."""

import ctypes
import gzip
import http.client
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.daemon import Daemon, RunOnce, Work
from collector.problems import BrokenInvariantError, OperatingError, UsageError
from collector.records import LedgerSummary, RunSummary
from collector.web import host_and_port
from tests.summaries import run_summary, summary

WAIT_SECONDS = 10


def get(address: str, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, http.client.HTTPMessage]:
    """Status, body and headers of one request."""
    connection = http.client.HTTPConnection(address, timeout=WAIT_SECONDS)
    connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body, answer.headers


def until(true: Callable[[], bool]) -> None:
    """Waits until `true()`, and fails after ten seconds."""
    end = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


@contextmanager
def running(
    run_once: RunOnce, *, initial: LedgerSummary | None = None, collect_seconds: float = 3600
) -> Iterator[Daemon]:
    """A started daemon on a free port of loopback."""
    daemon = Daemon(Work(run_once, collect_seconds, 3600), listen="127.0.0.1:0", initial=initial)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()


def good(*, bill: bool) -> RunSummary:
    """A run that goes well."""
    return run_summary(7 if bill else 8)


class Scripted:
    """Runs that do what the script says, one entry a run; the last entry is repeated."""

    def __init__(self, *script: Exception | RunSummary) -> None:
        self.script = list(script)
        self.bills: list[bool] = []

    def __call__(self, *, bill: bool) -> RunSummary:
        """The next entry of the script."""
        step = self.script[min(len(self.bills), len(self.script) - 1)]
        self.bills.append(bill)
        if isinstance(step, Exception):
            raise step
        return step


def lines(captured: str) -> list[dict[str, object]]:
    """The log lines, which must all be JSON."""
    return [json.loads(line) for line in captured.splitlines()]


def test_paths_and_methods() -> None:
    """The four paths answer, any other is 404, and nothing but GET and HEAD is allowed."""
    with running(good) as daemon:
        until(lambda: not daemon.view.unready)
        assert get(daemon.address, "/healthz")[:2] == (200, b"ok\n")
        assert get(daemon.address, "/readyz?x=1")[:2] == (200, b"ready\n")
        status, body, headers = get(daemon.address, "/")
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert b"12.00 USD" in body
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert get(daemon.address, "/metrics/x")[0] == 404
        status, _, headers = get(daemon.address, "/metrics", "POST")
        assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_metrics_in_both_formats() -> None:
    """Text by default, OpenMetrics when asked for, gzip when accepted; HEAD has the length and no body."""
    with running(good) as daemon:
        until(lambda: not daemon.view.unready)
        _, text, headers = get(daemon.address, "/metrics")
        assert b'runs_total{outcome="ok"} 7.0' in text
        assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
        wants = "application/openmetrics-text; version=1.0.0"
        _, zipped, headers = get(daemon.address, "/metrics", Accept=wants, Accept_Encoding="gzip")
        assert gzip.decompress(zipped).endswith(b"# EOF\n")
        assert headers["Content-Type"].startswith("application/openmetrics-text")
        status, body, headers = get(daemon.address, "/metrics", "HEAD")
        assert (status, body, int(headers["Content-Length"])) == (200, b"", len(text))


def test_listens_on_the_given_address_only() -> None:
    """Bound to 127.0.0.1, it is not there on the machine's other loopback addresses."""
    with running(good) as daemon:
        port = host_and_port(daemon.address)[1]
        with pytest.raises(ConnectionRefusedError):
            get(f"127.0.0.2:{port}", "/healthz")


def test_a_restart_has_the_port_again() -> None:
    """A daemon that follows one which has just served a client listens at the same address, and no third one does."""
    with running(good) as daemon:
        assert get(daemon.address, "/healthz")[0] == 200
        address = daemon.address
    again = Daemon(Work(good, 3600, 3600), listen=address)
    again.start()
    try:
        assert get(address, "/healthz")[0] == 200
        with pytest.raises(OperatingError, match="cannot listen"):
            Daemon(Work(good, 3600, 3600), listen=address)
    finally:
        again.stop()


def test_not_ready_before_the_first_run_has_ended() -> None:
    """Held figures of an earlier process are served, but readiness waits for a run of this one."""
    gate = threading.Event()

    def gated(*, bill: bool) -> RunSummary:
        gate.wait(WAIT_SECONDS)
        return good(bill=bill)

    with running(gated, initial=summary()) as daemon:
        assert get(daemon.address, "/readyz")[:2] == (503, b"not ready: no run has ended since the start\n")
        assert get(daemon.address, "/healthz")[0] == 200
        assert b'runs_total{outcome="ok"} 41.0' in get(daemon.address, "/metrics")[1]
        gate.set()
        until(lambda: get(daemon.address, "/readyz")[0] == 200)


def test_without_any_summary_nothing_is_claimed() -> None:
    """Before anything is known, metrics show no figure and the page says that nothing has been read."""
    gate = threading.Event()

    def gated(*, bill: bool) -> RunSummary:
        gate.wait(WAIT_SECONDS)
        return good(bill=bill)

    with running(gated) as daemon:
        assert b"runs_total{" not in get(daemon.address, "/metrics")[1]
        assert b"Nothing read yet" in get(daemon.address, "/")[1]
        gate.set()


@pytest.mark.parametrize(
    ("error", "outcome", "violations"),
    [
        (BrokenInvariantError("shares of bucket 3 do not add up"), "invariant", 1),
        (OperatingError("the ledger is held by process 7"), "failed", 0),
        (RuntimeError("a bug"), "failed", 0),
    ],
)
def test_a_failing_run_keeps_the_last_good_summary(
    error: Exception, outcome: str, violations: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a run that fails the old figures stay, the run is counted, and readiness and page say why."""
    with running(Scripted(error), initial=summary()) as daemon:
        until(lambda: bool(daemon.view.trouble))
        text = get(daemon.address, "/metrics")[1].decode()
        assert f'runs_total{{outcome="{outcome}"}} 1.0' in text
        assert f"invariant_violations_total {violations}.0" in text
        assert 'runs_total{outcome="ok"} 41.0' in text
        assert get(daemon.address, "/readyz")[:2] == (503, f"not ready: {error}\n".encode())
        assert get(daemon.address, "/healthz")[0] == 200
        page = get(daemon.address, "/")[1].decode()
        assert "The last run did not succeed" in page
        assert str(error) in page
    ran = [line for line in lines(capsys.readouterr().err) if line["event"] == "run"]
    assert [(line["outcome"], line["error"], line["level"]) for line in ran] == [(outcome, str(error), "error")]


def test_readiness_comes_back_with_the_next_good_run() -> None:
    """A good run after a failed one is ready again, and the failed one stays counted."""
    runs = Scripted(OperatingError("held"), run_summary(9))
    with running(runs, initial=summary(), collect_seconds=0.2) as daemon:
        until(lambda: not daemon.view.unready)
        text = get(daemon.address, "/metrics")[1]
        assert b'runs_total{outcome="failed"} 1.0' in text
        assert b'runs_total{outcome="ok"} 9.0' in text


def test_broken_runs_are_not_counted_twice() -> None:
    """A broken run is counted here only until the ledger's own count arrives with the next good summary."""
    runs = Scripted(BrokenInvariantError("no"), run_summary(9))
    with running(runs, initial=summary(), collect_seconds=0.2) as daemon:
        until(lambda: not daemon.view.unready)
        assert b"invariant_violations_total 0.0" in get(daemon.address, "/metrics")[1]


def test_a_run_with_a_failed_source_is_ready() -> None:
    """One source that fails is a metric's matter: the figures are fresh, so the daemon is ready."""
    with running(Scripted(run_summary(outcome="problem", sources_failed=("backend",)))) as daemon:
        until(lambda: not daemon.view.unready)
        assert get(daemon.address, "/readyz")[0] == 200


def test_the_first_run_is_a_whole_one_and_bills_are_rare() -> None:
    """The first run reads the bills, those of the collect interval do not."""
    runs = Scripted(run_summary())
    with running(runs, collect_seconds=0.2):
        until(lambda: len(runs.bills) >= 3)
    assert runs.bills[:3] == [True, False, False]


def test_runs_never_overlap() -> None:
    """A run longer than the interval makes ticks fall together, and none starts beside it."""
    active = threading.Semaphore(1)
    overlapped: list[bool] = []
    done: list[bool] = []

    def slow(*, bill: bool) -> RunSummary:
        if not active.acquire(blocking=False):
            overlapped.append(bill)
        time.sleep(0.25)
        active.release()
        done.append(bill)
        return run_summary()

    daemon = Daemon(Work(slow, 0.02, 0.03), listen="127.0.0.1:0")
    daemon.start()
    until(lambda: len(done) >= 4)
    daemon.stop()
    assert not overlapped
    assert len(done) < 12


def test_one_canonical_line_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Each run writes one JSON line on standard error with all that it did."""
    with running(Scripted(run_summary(7))) as daemon:
        until(lambda: not daemon.view.unready)
    ran = [line for line in lines(capsys.readouterr().err) if line["event"] == "run"]
    assert len(ran) == 1
    wanted = {"run_id": 7, "outcome": "ok", "bill": True, "duration_ms": 17, "rows_new": 5, "level": "info"}
    assert {name: ran[0][name] for name in wanted} == wanted
    assert ran[0]["counts"] == {"new": 5, "duplicate": 1}


def test_a_stopped_daemon_is_not_healthy() -> None:
    """Health is the scheduler's, not only the web server's."""
    with running(good) as daemon:
        assert daemon.alive()
    assert not daemon.alive()


def test_a_taken_address_is_an_operating_error() -> None:
    """A port in use is named, with what can be done about it."""
    with running(good) as daemon, pytest.raises(OperatingError, match=r"http\.listen") as refused:
        Daemon(Work(good, 60, 60), listen=daemon.address)
    assert daemon.address in str(refused.value)


@pytest.mark.parametrize("listen", ["", "9747", ":9747", "localhost:", "localhost:99999", "localhost:http"])
def test_bad_addresses_are_usage_errors(listen: str) -> None:
    """Only host:port is taken; no host does not silently mean every interface."""
    with pytest.raises(UsageError, match="host:port"):
        host_and_port(listen)


@contextmanager
def process(mode: str, tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A daemon process, with its address."""
    port_file = tmp_path / "address"
    command = [sys.executable, "-m", "tests.daemon_process", mode, str(port_file)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as started:
        try:
            until(lambda: port_file.exists() and port_file.read_text(encoding="utf-8") != "")
            yield started, port_file.read_text(encoding="utf-8")
        finally:
            started.kill()


@pytest.mark.parametrize(
    ("mode", "number", "left_behind"),
    [("quick", signal.SIGTERM, False), ("quick", signal.SIGINT, False), ("slow", signal.SIGTERM, True)],
)
def test_signals_stop_it_within_five_seconds(
    mode: str, number: signal.Signals, left_behind: bool, tmp_path: Path
) -> None:
    """SIGTERM and SIGINT end the process with exit code 0 within 5 s, even amid an endless run."""
    with process(mode, tmp_path) as (started, address):
        assert get(address, "/healthz")[0] == 200
        sent = time.monotonic()
        started.send_signal(number)
        _, logged = started.communicate(timeout=WAIT_SECONDS)
        assert time.monotonic() - sent < 5
        assert started.returncode == 0
        assert lines(logged)[-1]["run_left_behind"] is left_behind


@pytest.mark.skipif(sys.platform != "linux", reason="names a thread as Linux does")
def test_a_signal_may_come_to_any_thread(tmp_path: Path) -> None:
    """The kernel gives a signal to whichever thread it likes; the main thread, which alone acts on it, hears of it."""
    with process("quick", tmp_path) as (started, address):
        until(lambda: get(address, "/readyz")[0] == 200)
        others = [int(path.name) for path in Path(f"/proc/{started.pid}/task").iterdir()]
        others.remove(started.pid)
        assert ctypes.CDLL(None).tgkill(started.pid, others[0], signal.SIGTERM) == 0
        assert started.wait(WAIT_SECONDS) == 0


def test_sighup_reads_the_config_again(tmp_path: Path) -> None:
    """A config with a mistake is refused, in a line, and the old work goes on; a good one is taken."""
    with process("reload", tmp_path) as (started, address):
        until(lambda: get(address, "/readyz")[0] == 200)
        started.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert b'runs_total{outcome="ok"} 7.0' in get(address, "/metrics")[1]

        def taken() -> bool:
            # Two signals that come before the first is looked at are one, so it may have to be asked again.
            started.send_signal(signal.SIGHUP)
            time.sleep(0.3)
            return b'runs_total{outcome="ok"} 101.0' in get(address, "/metrics")[1]

        until(taken)
        started.send_signal(signal.SIGTERM)
        _, logged = started.communicate(timeout=WAIT_SECONDS)
    events = {str(line["event"]): line for line in lines(logged)}
    assert events["config kept"]["error"] == "orphaned.yaml:3: unknown key 'sorces'"
    assert "config read again" in events
