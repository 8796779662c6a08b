"""The benchmarks measure the right thing: everybody finds the same money. No test looks at a clock."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from benchmarks import ours, peer_duckdb, peer_pandas
from benchmarks.tick import LAPS, PARTS, Stopwatch
from benchmarks.traffic import END_US, Traffic
from collector import config, pipeline

CALLS = 2_000
# More of what is rare than the benchmarks have, so that every kind of ending is there; over an hour's border.
SHAPE: dict[str, Any] = {
    "gap_us": 2_000_000,
    "abort_share": 0.1,
    "vanished_share": 0.005,
    "twice_share": 0.01,
}
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 2,000 calls, a bill, and a ledger that has taken them in."""
    folder = tmp_path_factory.mktemp("bench")
    Traffic(folder, **SHAPE).history(CALLS)
    return folder


@pytest.fixture(scope="module")
def answer(root: Path) -> dict[str, Any]:
    """What the pass over the folder says."""
    return ours.measure(root)


def lines(root: Path, pattern: str) -> list[dict[str, Any]]:
    """Every line of some files."""
    return [json.loads(line) for path in sorted(root.glob(pattern)) for line in path.open(encoding="utf-8")]


def test_the_generator_is_seeded(tmp_path: Path, root: Path) -> None:
    """The same seed writes the same bytes, another seed others."""
    written = {}
    for seed in (1, 2):
        Traffic(tmp_path / str(seed), seed=seed, **SHAPE).history(CALLS)
        written[seed] = sorted((tmp_path / str(seed)).rglob("*.json*"))
    same = sorted(root.glob("*/*.json*"))
    assert [path.read_bytes() for path in same] == [path.read_bytes() for path in written[1]]
    assert [path.read_bytes() for path in same] != [path.read_bytes() for path in written[2]]


def test_what_follows_does_not_depend_on_the_history(tmp_path: Path) -> None:
    """The first new lines after a short history are those after a long one."""
    live = []
    for calls in (100, 300):
        traffic = Traffic(tmp_path / str(calls))
        traffic.history(calls)
        traffic.follow(200)
        live.append([path.read_bytes() for path in sorted((tmp_path / str(calls)).rglob("live.*"))])
        assert traffic.now_us > END_US
    assert live[0] == live[1]
    assert len(live[0]) == 3


def test_the_files_hold_what_the_benchmark_says(root: Path) -> None:
    """Every call has its lines, some are aborted, a few vanish, and some entries come twice."""
    client = lines(root, "client/*.jsonl")
    backend = lines(root, "backend/*.jsonl")
    started = [line for line in client if line["event"] == "started"]
    aborted = [line for line in client if line.get("outcome") == "aborted"]
    assert len(started) == CALLS
    assert 0.07 * CALLS < len(aborted) < 0.13 * CALLS
    assert len(client) < 2 * CALLS  # the vanished end nowhere
    assert {line["jsonPayload"]["status"] for line in backend} == {"ok", "cancelled", "error"}
    assert len({line["insertId"] for line in backend}) == CALLS < len(backend)
    assert 0.1 * CALLS < len(lines(root, "nginx/*.json")) < 0.3 * CALLS


def test_everybody_reads_the_same_rows(root: Path, answer: dict[str, Any]) -> None:
    """Our records and the bare load's rows differ by what was delivered twice, and nothing is a problem."""
    bare = peer_duckdb.measure(root)["records"]
    assert answer["problems"] == 0
    assert answer["records"]["app"] == bare["client"]
    assert answer["records"]["edge"] == bare["edge"]
    assert answer["records"]["bill"] == bare["bill"]
    assert answer["records"]["backend"] == CALLS < bare["backend"]


@pytest.mark.parametrize("reader", ["plain", "arrow"])
def test_pandas_finds_the_same_money(root: Path, answer: dict[str, Any], reader: str) -> None:
    """The orphaned cost by model is the same within the floats of pandas."""
    theirs = peer_pandas.measure(root, reader)["orphaned"]
    assert min(theirs.values()) > 0
    assert theirs == pytest.approx(answer["orphaned"], rel=1e-9, abs=1e-7)


def test_a_tick_takes_in_what_follows(tmp_path: Path) -> None:
    """Appended lines become new completions and verdicts, and the bill that comes later settles its hours."""
    traffic = Traffic(tmp_path, gap_us=1_000_000)
    traffic.history(CALLS, bill_all=False)
    settings = config.load(tmp_path / "orphaned.yaml")
    pipeline.run_once(settings, now_us=END_US)
    traffic.follow(CALLS)
    summary = pipeline.run_once(settings, now_us=traffic.now_us)
    assert {one.source: one.records["new"] for one in summary.ledger.sources}["backend"] == 2 * CALLS
    assert summary.counts["verdicts_changed"] > 0
    assert traffic.bill_hours("later") > 0
    assert pipeline.run_once(settings, now_us=traffic.now_us).counts["buckets_changed"] > 0
    with duckdb.connect(str(settings.ledger_path)) as ledger:
        settled = ledger.execute("SELECT count(*) FROM bucket_current WHERE settled").fetchall()[0][0]
    assert settled > 0


def test_the_parts_of_a_tick_add_up(tmp_path: Path) -> None:
    """The stopwatch finds every part that it times in the pipeline, and what it does not time is the rest."""
    traffic = Traffic(tmp_path)
    traffic.history(100)
    settings = config.load(tmp_path / "orphaned.yaml")
    watch = Stopwatch()
    with watch.installed():
        laps = watch.lap(lambda: pipeline.run_once(settings, now_us=END_US))
    assert all(laps[part] > 0 for part in LAPS)
    assert sum(laps[part] for part in (*PARTS.values(), "rest")) == pytest.approx(laps["wall"])


def test_the_table_is_printed() -> None:
    """`pass` runs every contender in a process of its own and prints their ratios."""
    command = [sys.executable, "-m", "benchmarks.pass", "--calls", "1000:1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    for words in ("1,000 calls", "bare load", "pandas / ours"):
        assert words in done.stdout
