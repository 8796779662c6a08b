"""A real Prometheus that scrapes the real daemon while the ledger goes from one state to the next.

In: a directory, and the runs that the daemon is to make, one after another. Out: `Scraped`, which answers PromQL of the
last state, over a span that begins in the first. Both ends are instants of real scrapes, to the millisecond, so that
`increase` has nothing to extrapolate and is exact (Prometheus 2, whose ranges hold both their ends).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from collector.daemon import Daemon, Work
from collector.records import RunSummary
from tests.lab.edge import free_ports
from tests.loopback import served, until
from tests.tools import need

SCRAPE_SECONDS = 1
LAST_RUN = "orphaned_inference_run_last_success_timestamp_seconds"
Answer = dict[tuple[tuple[str, str], ...], float]  # sorted labels -> value


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus at an address on loopback."""

    address: str

    def ask(self, path: str, **wanted: str) -> Any:
        """The `data` of an answer of the HTTP API. Raises ValueError with Prometheus' own words for a bad query."""
        with urlopen(f"http://{self.address}/api/v1/{path}?{urlencode(wanted)}", timeout=30) as response:
            told = json.load(response)
        if told["status"] != "success":
            raise ValueError(told["error"])
        return told["data"]

    def instant(self, query: str, at_ms: int) -> Answer:
        """What `query` says at an instant, without the name of the metric."""
        result = self.ask("query", query=query, time=f"{at_ms / 1000:.3f}")["result"]
        return {
            tuple(sorted((name, text) for name, text in one["metric"].items() if name != "__name__")): float(
                one["value"][1]
            )
            for one in result
        }


@dataclass(frozen=True)
class Scraped:
    """What was scraped: a state that was seen at `before_ms`, and the last one, seen at `after_ms`."""

    prometheus: Prometheus
    target: str
    before_ms: int
    after_ms: int

    @property
    def span(self) -> str:
        """From the one to the other, as PromQL writes it."""
        return f"{self.after_ms - self.before_ms}ms"

    def ask(self, query: str) -> Answer:
        """What `query` says of the last state."""
        return self.prometheus.instant(query, self.after_ms)


@contextmanager
def prometheus(directory: Path, *flags: str, scrape: str = "") -> Iterator[Prometheus]:
    """A Prometheus with its data in `directory`, ready, that scrapes `scrape` (host:port) if there is one."""
    program = need("prometheus", "prometheus")
    (port,) = free_ports(1)
    targets = [{"job_name": "orphaned-inference", "static_configs": [{"targets": [scrape]}]}] if scrape else []
    config = {"global": {"scrape_interval": f"{SCRAPE_SECONDS}s"}, "scrape_configs": targets}
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    address = f"127.0.0.1:{port}"
    command = [
        program, f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
        f"--web.listen-address={address}", *flags,
    ]  # fmt: skip
    with served(command, address, directory / "prometheus.log"):
        yield Prometheus(address)


@contextmanager
def scraped(directory: Path, runs: Sequence[Callable[[], RunSummary]]) -> Iterator[Scraped]:
    """Prometheus after it has scraped the state that each of `runs` left, each at least three times."""
    daemon = Daemon(_work(runs[0]), listen="127.0.0.1:0")
    daemon.start()
    try:
        with prometheus(directory, scrape=daemon.address) as made:
            for count, run in enumerate(runs, 1):
                if count > 1:
                    daemon.change(_work(run))
                until(partial(_seen, made, count), f"three scrapes of state {count}")
            states = _states(made)
            yield Scraped(made, daemon.address, states[0][-1], states[-1][2])
    finally:
        daemon.stop()


def _work(run: Callable[[], RunSummary]) -> Work:
    return Work(lambda *, bill: run(), 3600, 3600)  # noqa: ARG005, PLW0108 (a run of ours takes no flag)


def _seen(made: Prometheus, count: int) -> bool:
    states = _states(made)
    return len(states) == count and len(states[-1]) >= 3


def _states(made: Prometheus) -> list[list[int]]:
    """When (ms) each state was scraped; a state is known by the instant of its last run."""
    found = made.ask("query", query=f"{LAST_RUN}[1h]")["result"]
    states: dict[str, list[int]] = {}
    for at, value in found[0]["values"] if found else []:
        states.setdefault(value, []).append(round(at * 1000))
    return list(states.values())
