"""Weeks of a simulated world in a Prometheus, for the viewer: the collector's own expositions, run after run.

In: a directory. Out: a Prometheus whose data end at `END`, made by `promtool` from what the real pipeline exposed at
each of its runs, so that the dashboards have a past to draw. Nothing here is made up but the world itself.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from collector import pipeline
from collector.config import load
from collector.exporters.metrics import encode_openmetrics
from collector.records import instant_us
from tests.scraped import Prometheus, prometheus
from tests.tools import need
from tests.world import ModelSpec, WorldSpec, build

END = datetime(2026, 11, 20, 14, tzinfo=UTC)
LAST_DAY = timedelta(hours=24)
RUNS = timedelta(hours=12), timedelta(hours=3)  # between two, before the last day and on it
SCRAPES = timedelta(hours=1), timedelta(minutes=15)
TARGET = b'instance="collector:9747",job="orphaned-inference"'
FLAGS = ("--query.lookback-delta=61m", "--storage.tsdb.retention.time=10y")
# Priced so that some thousand calls cost what millions do.
MODELS = tuple(
    ModelSpec(name, 400 * given, 400 * cached, 400 * made, thinking)
    for name, given, cached, made, thinking in (
        ("acme-chat-1", 300, 30, 2500, False),
        ("acme-think-2", 1250, 310, 10_000, True),
        ("acme-mini-1", 100, 10, 400, True),
    )
)  # fmt: skip


def runs(days: int, every: tuple[timedelta, timedelta]) -> list[datetime]:
    """When the collector ran: so often before the last day, and so often on it."""
    at, made = END - timedelta(days=days) + every[0], []
    while at <= END:
        made.append(at)
        at += every[at >= END - LAST_DAY]
    return made


@contextmanager
def history(
    directory: Path, *, days: int, calls: int, every: tuple[timedelta, timedelta] = RUNS
) -> Iterator[Prometheus]:
    """A Prometheus that knows those days, with so many calls in them."""
    directory.mkdir(parents=True, exist_ok=True)
    text = directory / "history.txt"
    with text.open("wb") as file:
        for at, lines in _expositions(directory, days, calls, runs(days, every)):
            stamp = f" {at.timestamp():.0f}\n".encode()
            file.writelines(line + stamp for line in lines)
        file.write(b"# EOF\n")
    promtool = need("promtool", "prometheus")
    blocks = [promtool, "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=720h", "--quiet"]
    subprocess.run([*blocks, str(text), str(directory / "data")], check=True, capture_output=True, timeout=600)
    with prometheus(directory, *FLAGS) as made:
        yield made


def _expositions(
    directory: Path, days: int, calls: int, instants: list[datetime]
) -> Iterator[tuple[datetime, list[bytes]]]:
    """The samples' lines at each instant; between two runs they stay as they are."""
    start = (END - timedelta(days=days)).replace(hour=0)
    spec = WorldSpec.rough(11, calls=calls, start=start, hours=24 * days + END.hour, id_share=0.8, models=MODELS)
    world = build(spec)
    config = load(world.write(directory / "world", start))
    for at, until in zip(instants, [*instants[1:], END + SCRAPES[1]], strict=True):
        world.write(directory / "world", at)
        done = pipeline.run_once(config, now_us=instant_us(at))
        lines = [_scraped(line) for line in encode_openmetrics(done.ledger).splitlines() if not line.startswith(b"#")]
        scraped_at = at
        while scraped_at < until:
            yield scraped_at, lines
            scraped_at += SCRAPES[scraped_at >= END - LAST_DAY]


def _scraped(line: bytes) -> bytes:
    """A sample's line with the labels that a scrape would add."""
    name, brace, rest = line.partition(b"{")
    if brace:
        return name + b"{" + TARGET + b"," + rest
    name, _, value = line.partition(b" ")
    return name + b"{" + TARGET + b"} " + value
