"""The whole way of an alert, with real parts: a log line, the collector, Prometheus, Alertmanager, a webhook."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector import pipeline
from collector.daemon import Daemon, Work, wall_clock_us
from collector.records import RunSummary
from tests.alerting import quick_values, watching
from tests.helpers import MINUTE_US, T0_US, Desk
from tests.lab.edge import free_ports
from tests.loopback import until

FAST = "OrphanedSpendBurningFast"
DOWN = "OrphanedCollectorDown"
LOST_TOKENS = 2_000_000  # at 2.50 USD a million: 5.00 USD, beside 1,000 of input
BURN = {"long": "12s", "short": "6s", "multiple": 14.4}  # 0.02 USD in 12 seconds

KNOWN = "orphaned_inference:collectors:count offset 12s and on () orphaned_inference:sources_behind:count12s == 0"


@contextmanager
def collecting(desk: Desk, listen: str) -> Iterator[None]:
    """The daemon over that desk's files, with a run a second."""

    def once(*, bill: bool) -> RunSummary:
        return pipeline.run_once(desk.config, now_us=wall_clock_us(), bill=bill)

    daemon = Daemon(Work(once, 1, 3600), listen=listen)
    daemon.start()
    try:
        yield
    finally:
        daemon.stop()


def lose(desk: Desk) -> None:
    """A client's deadline passes, and half a minute later, just now, the backend ends its work."""
    now = (wall_clock_us() - T0_US) / MINUTE_US
    desk.started("c1", now - 2)
    desk.ended("c1", now - 0.6, reason="timeout")
    desk.completion("c1", now - 0.1, seconds=114, usage={"input_tokens": 1000, "output_tokens": LOST_TOKENS})


@pytest.mark.slow
def test_an_alert_arrives_and_resolves(tmp_path: Path) -> None:
    """Money lost is told to the pager with its amount, and over when it stops; so is a collector that is gone.

    Its first loss ever counts, though no counter was there before; its return tells of no loss again.
    """
    desk = Desk(tmp_path / "desk")
    values = quick_values(
        burning_fast={"for": "1s", "windows": [BURN]},
        collector_down={"for": "2s"},
    )
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    with watching(tmp_path, listen, values) as watch:
        with collecting(desk, listen):
            until(lambda: watch.ask(KNOWN), "a collector known for one burn window")
            lose(desk)
            receiver, alert = watch.told.wait(FAST, "firing")
            assert receiver == "pager"
            assert alert["labels"] == {
                "alertname": FAST, "severity": "critical", "currency": "USD", "long": "12s", "short": "6s",
            }  # fmt: skip
            assert alert["annotations"]["description"].startswith("5.00 USD of orphaned spend in the last 12 seconds:")
            assert watch.told.wait(FAST, "resolved")[0] == "pager"
        watch.told.wait(DOWN, "firing")
        with collecting(desk, listen):
            watch.told.wait(DOWN, "resolved")
            until(lambda: watch.ask(KNOWN), "the collector known again for one burn window")
        assert len({one["startsAt"] for _, one in watch.told.of(FAST, "firing")}) == 1
