"""Google's billing export read live from BigQuery: the real client against a loopback server, job by job."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Literal

import pytest
import stamina
import yaml

from collector import pipeline
from collector.check import findings
from collector.config import Config, GcpBillingSource, load
from collector.exporters import tables
from collector.ledger import append
from collector.records import instant_text, instant_us
from collector.sources import bigquery_api, bigquery_live
from collector.sources.bigquery_api import BigQuery, CallError, Place
from collector.sources.bigquery_live import Query, TableCursor, fetch
from tests.bigquery_server import Row, Store, at_us, server
from tests.helpers import DAY_US, HOUR_US, T0_US, buckets, rows, source_counts
from tests.world import World, WorldSpec, build
from tests.world_spec import BILL

ROOT = Path(__file__).resolve().parent.parent
TABLE = "acme.export.bill"
QUERY = Query(TABLE, 30 * DAY_US, DAY_US)
GIB = 1 << 30
Bill = Literal["late", "corrected", "partial"]


@pytest.fixture(autouse=True)
def _impatient() -> Iterator[None]:
    """Calls are tried again as often as they would be, but without the waits."""
    with stamina.set_testing(True, attempts=bigquery_api.RETRIES, cap=True):
        yield


@pytest.fixture
def store() -> Store:
    """What the server knows."""
    return Store()


@pytest.fixture
def address(store: Store) -> Iterator[str]:
    """Where it listens."""
    with server(store) as found:
        yield found


@dataclass
class Reader:
    """A ledger in small: what it was given, delivery by delivery, and the places it has committed."""

    address: str
    query: Query = QUERY
    bound: int = GIB
    location: str | None = None
    cursors: dict[int, TableCursor] = field(default_factory=dict)
    deliveries: dict[int, list[str]] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def read(self, now_us: int = T0_US, *, die_after: int | None = None) -> str:
        """One run; it may die after so many pieces. The error that it was told."""
        service = BigQuery(Place(self.query.table, "acme", self.bound, self.location, self.address))
        held = list(self.cursors.values())
        try:
            for number, piece in enumerate(
                fetch(self.query, held, service, now_us=now_us, file_ids=count(max(self.cursors, default=0) + 1))
            ):
                if number == die_after:
                    break
                cursor = TableCursor.from_json(piece.cursor.to_json())
                self.cursors[cursor.file_id] = cursor
                self.deliveries.setdefault(cursor.file_id, []).extend(piece.table.column("line").to_pylist())
                self.sizes.append(piece.table.num_rows)
                self.numbers += piece.table.column("line_no").to_pylist()
        except CallError as error:
            return str(error)
        return ""

    @property
    def counted(self) -> Counter[str]:
        """Rows (by their cost, which tells them apart) as often as they count: by the delivery with most of them."""
        found: Counter[str] = Counter()
        for lines in self.deliveries.values():
            found |= Counter(json.loads(line)["cost"] for line in lines)
        return found

    @property
    def read_rows(self) -> int:
        """How many rows were handed on in all."""
        return sum(self.sizes)


def row(cost: str, export_us: int, **more: Any) -> Row:
    """A row of the export; numbers are text, as the server holds them."""
    return {
        "service": {"id": "C7E2-9256-1C43", "description": "Vertex AI"}, "sku": {"id": "1", "description": "A"},
        "project": {"id": "acme", "name": "Acme"}, "usage_start_time": "2026-11-19 09:00:00 UTC",
        "usage_end_time": "2026-11-19 10:00:00 UTC", "export_time": instant_text(export_us), "cost": cost,
        "currency": "USD", "cost_type": "regular", "usage": {"amount": "1", "unit": "count", "pricing_unit": "count"},
        "credits": [], **more,
    }  # fmt: skip


def exported(times: int, rows_each: int, *, until_us: int = T0_US) -> list[Row]:
    """Rows of so many export times, an hour apart, the last one an hour before."""
    return [
        row(f"{time}.{number}", until_us - (times - time) * HOUR_US)
        for time in range(times) for number in range(rows_each)
    ]  # fmt: skip


def expected(store: Store) -> Counter[str]:
    """Every row of the export, once."""
    return Counter(one["cost"] for one in store.rows)


# Readings --------------------------------------------------------------------------------------------------


def test_all_rows_in_order(store: Store, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first read gives every row, oldest export first, and a piece ends between two export times."""
    monkeypatch.setattr(bigquery_live, "PIECE_ROWS", 50)
    monkeypatch.setattr(bigquery_live, "PAGE_ROWS", 30)
    found = exported(10, 17)
    Random(1).shuffle(found)
    store.put(*found)
    store.page_rows = 20  # less than asked for, so that the client follows page tokens
    reader = Reader(address)
    assert reader.read() == ""
    times = [json.loads(line)["export_time"] for line in reader.deliveries[1]]
    assert times == sorted(times)
    assert reader.counted == expected(store)
    assert reader.numbers == list(range(1, 171))
    assert all(size % 17 == 0 for size in reader.sizes)
    assert len(reader.sizes) > 3
    assert store.asked.count("jobs.insert") == 1


def test_exact_text(store: Store, address: str) -> None:
    """Amounts arrive with every digit that the export has, credits too."""
    store.put(row("12345678901234567890.123456789", T0_US - 1, credits=[{"amount": "-0.000000001"}]))
    reader = Reader(address)
    reader.read()
    (line,) = reader.deliveries[1]
    assert json.loads(line)["cost"] == "12345678901234567890.123456789"
    assert json.loads(line)["credits"] == [{"amount": "-0.000000001"}]


def test_unchanged_table_costs_nothing(store: Store, address: str) -> None:
    """As long as the table says that it has not changed, no query is run; a streaming buffer hides changes."""
    store.put(*exported(5, 3))
    reader = Reader(address)
    reader.read()
    reader.read()
    assert len(store.queries) == 1
    store.streaming = True
    reader.read()
    reader.read()
    assert len(store.queries) == 3
    assert all("COUNT(*)" in text for text in store.queries[1:])
    assert reader.read_rows == 15


def test_only_what_is_new_is_read(store: Store, address: str) -> None:
    """New export times are read alone, and an export time that has grown is read again as another delivery."""
    store.put(*exported(5, 3))
    reader = Reader(address)
    reader.read()
    store.put(row("new", T0_US - 60))
    reader.read()
    assert reader.sizes[-1] == 1
    store.put(row("late", T0_US - 3 * HOUR_US), row("2.0", T0_US - 3 * HOUR_US))
    reader.read()
    assert reader.sizes[-1] == 5
    assert reader.counted == expected(store)
    assert len(reader.cursors) == 3
    assert reader.cursors[1].counts == {}  # only the newest says how far it is
    assert sum(reader.cursors[3].counts.values()) == len(store.rows)
    store.changes += 1
    reader.read()
    assert reader.read_rows == 15 + 1 + 5


def test_since_and_overlap(store: Store, address: str) -> None:
    """Rows exported before `since` are left alone, and so is what grows behind the overlap."""
    store.put(row("old", T0_US - 31 * DAY_US), row("in", T0_US - 29 * DAY_US), row("last", T0_US - HOUR_US))
    reader = Reader(address)
    reader.read()
    store.put(row("too late", T0_US - 2 * DAY_US))
    reader.read(T0_US + HOUR_US)
    assert reader.counted == Counter(["in", "last"])


@pytest.mark.parametrize("partitioning", [None, {"type": "DAY", "field": "export_time"}, {"type": "DAY"}])
def test_partitions(store: Store, address: str, partitioning: Row | None) -> None:
    """What prunes by ingestion is asked only of tables that are partitioned by it."""
    store.partitioning = partitioning
    store.put(*exported(2, 2))
    reader = Reader(address)
    assert reader.read() == ""
    assert reader.counted == expected(store)


def test_a_huge_export_time_is_split(store: Store, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export time with more rows than are held goes out in parts of one delivery."""
    monkeypatch.setattr(bigquery_live, "PIECE_ROWS", 10)
    monkeypatch.setattr(bigquery_live, "PAGE_ROWS", 10)
    monkeypatch.setattr(bigquery_live, "HELD_ROWS_MAX", 40)
    store.put(*exported(1, 105))
    reader = Reader(address)
    reader.read()
    assert [size for size in reader.sizes if size] == [40, 40, 25]
    assert list(reader.deliveries) == [1]
    store.streaming = True
    reader.read()
    assert reader.read_rows == 105


# What goes wrong -------------------------------------------------------------------------------------------


def test_resumed_in_the_same_job(store: Store, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that dies goes on where it was, and the query is paid for once."""
    monkeypatch.setattr(bigquery_live, "PIECE_ROWS", 5)
    monkeypatch.setattr(bigquery_live, "PAGE_ROWS", 7)
    store.put(*exported(10, 5))
    reader = Reader(address)
    for _ in range(30):
        reader.read(die_after=2)
    assert reader.read_rows == 50
    assert reader.counted == expected(store)
    assert len(store.queries) == 1


def test_job_that_is_gone(store: Store, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the job's rows have expired, the rest is asked for again, from the last whole export time on."""
    monkeypatch.setattr(bigquery_live, "PIECE_ROWS", 5)
    monkeypatch.setattr(bigquery_live, "PAGE_ROWS", 7)
    store.put(*exported(10, 5))
    reader = Reader(address)
    reader.read(die_after=4)
    assert 0 < reader.read_rows < 50
    store.jobs.clear()
    assert reader.read() == ""
    assert reader.read_rows == 50
    assert reader.counted == expected(store)


def test_outage_keeps_the_place(store: Store, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage between two pages ends the run with the whole export times read by then."""
    monkeypatch.setattr(bigquery_live, "PAGE_ROWS", 8)
    store.put(*exported(10, 5))
    store.faults = ["", "", "", "", "", "", *["backendError"] * 50]
    reader = Reader(address)
    error = reader.read()
    assert error.startswith(f"table {TABLE}: BigQuery could not be reached")
    assert 0 < reader.read_rows < 50
    assert reader.read_rows % 5 == 0
    store.faults = []
    assert reader.read() == ""
    assert reader.read_rows == 50
    assert len(store.queries) == 1


def test_transient_errors_pass(store: Store, address: str) -> None:
    """A call that fails for now is tried again; a job that did is started once more."""
    store.put(*exported(3, 3))
    store.faults = ["rateLimitExceeded", "backendError", "", "internalError", "", "backendError"]
    store.job_faults = ["backendError"]
    reader = Reader(address)
    assert reader.read() == ""
    assert reader.counted == expected(store)


def test_server_away(store: Store) -> None:
    """A server that is not there is told as such."""
    with server(store) as gone:
        pass
    assert "BigQuery could not be reached" in Reader(gone).read()


def test_never_billed_for_more(store: Store, address: str) -> None:
    """A read above the bound is refused and says what to change; with a higher bound the next run reads."""
    store.put(*exported(10, 10))
    reader = Reader(address, bound=1000)
    assert "more than maximum_bytes_billed" in reader.read()
    assert reader.read_rows == 0
    reader.bound = GIB
    assert reader.read() == ""
    assert reader.counted == expected(store)


@pytest.mark.parametrize(
    ("denied", "said"),
    [("jobs", "roles/bigquery.jobUser on the project acme"), ("tables", "bigquery.dataViewer on the dataset acme.exp")],
)
def test_missing_roles(store: Store, address: str, denied: str, said: str) -> None:
    """Which role is missing, and on what, is told."""
    store.denied = {denied}
    assert said in Reader(address).read()


def test_wrong_table_and_location(store: Store, address: str) -> None:
    """A table that is not there, and a location that is not the data set's."""
    assert "there is no such table" in Reader(address, Query("acme.export.other", DAY_US, 0)).read()
    assert "Mend `location`" in Reader(address, location="US").read()


@pytest.mark.parametrize(("fault", "said"), [("quotaExceeded", "quota"), ("invalidQuery", "refuses the query")])
def test_other_refusals(store: Store, address: str, fault: str, said: str) -> None:
    """Quotas and refused queries are told at once, and are not tried again."""
    store.faults = [fault]
    assert said in Reader(address).read()
    assert len(store.asked) == 1


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_lost_or_doubled(store: Store, address: str, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Whatever dies, fails, expires or comes late within the overlap, each row counts as often as it is there."""
    rng = Random(seed)
    monkeypatch.setattr(bigquery_live, "PIECE_ROWS", rng.choice([1, 10, 30]))
    monkeypatch.setattr(bigquery_live, "PAGE_ROWS", rng.choice([3, 10]))
    monkeypatch.setattr(bigquery_live, "HELD_ROWS_MAX", rng.choice([5, 200]))
    reader, now_us = Reader(address), T0_US
    for turn in range(30):
        now_us += HOUR_US
        at = now_us - rng.choice([1, 1, 1, 5 * HOUR_US, 20 * HOUR_US])
        at = at // HOUR_US * HOUR_US
        store.put(*[row(f"{turn}.{rng.randrange(8)}", at) for _ in range(rng.randrange(20))])
        store.page_rows = rng.choice([2, 1000])
        store.faults = [""] * rng.randrange(9) + ["backendError"] * rng.choice([0, 0, 3, 40])
        store.job_faults = ["backendError"] if rng.random() < 0.1 else []
        if rng.random() < 0.1:
            store.jobs.clear()
        reader.read(now_us, die_after=rng.choice([None, None, 0, 1, 2, 3]))
    store.faults, store.job_faults = [], []
    for _ in range(2):  # the first ends a reading that was under way
        assert reader.read(now_us) == ""
    assert reader.counted == expected(store)


# The whole pipeline ----------------------------------------------------------------------------------------


def live_config(directory: Path, world: World, address: str, **more: Any) -> Config:
    """The world in `directory`, but for the bill's files: those rows come from the server."""
    path = world.write(directory)
    for file in (directory / "billing").iterdir():
        file.unlink()
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    for source in settings["sources"]:
        if source["name"] == BILL:
            del source["path"]
            source |= {"kind": "gcp-billing", "table": TABLE, "endpoint": address, **more}
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return load(path)


def bill_of(world: World) -> list[Row]:
    """The rows of the world's bill, numbers as text; a file that was delivered twice is there once."""
    files: dict[str, list[bytes]] = {}
    for line in world.lines:
        if line.source == BILL and line.outcome == "record":
            files.setdefault(line.file, []).append(line.data)
    return [json.loads(data, parse_float=str, parse_int=str) for lines in files.values() for data in lines]


def reconciliation(config: Config) -> bytes:
    """The export of that name, as CSV."""
    sink = BytesIO()
    with pipeline.reading(config) as (connection, _):
        tables.write("reconciliation", connection, sink)
    return sink.getvalue()


@pytest.mark.parametrize("bill", ["late", "corrected", "partial"])
def test_same_money_as_from_files(store: Store, address: str, tmp_path: Path, bill: Bill) -> None:
    """Read live, through an outage and in runs of its own, a bill gives what its files give, to the nano-unit."""
    world = build(WorldSpec(seed=5, calls=250, hours=1, bill=bill))
    files = load(world.write(tmp_path / "files"))
    now_us = instant_us(world.as_of)
    pipeline.run_once(files, now_us=now_us)
    config = live_config(tmp_path / "live", world, address)
    bill_rows = sorted(bill_of(world), key=lambda one: at_us(one["export_time"]))
    store.put(*bill_rows[: len(bill_rows) // 2])
    store.faults = ["", "", *["backendError"] * 30]
    assert pipeline.run_once(config, now_us=now_us - HOUR_US).sources_failed == (BILL,)
    store.faults = []
    pipeline.run_once(config, now_us=now_us - HOUR_US)
    store.put(*bill_rows[len(bill_rows) // 2 :])
    done = pipeline.run_once(config, now_us=now_us)
    assert done.sources_failed == ()
    assert buckets(config) == buckets(files)
    assert reconciliation(config) == reconciliation(files)
    assert reconciliation(config).count(b"\n") > 10
    again = pipeline.run_once(config, now_us=now_us + HOUR_US)
    assert again.run.rows_new == 0
    (state,) = [one for one in rows(config, "source_state") if one["source"] == BILL]
    assert state["watermark_at_us"] == at_us(bill_rows[-1]["export_time"])


def test_killed_between_commits(store: Store, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that dies before or behind any commit is made good by the next: nothing is lost or doubled."""
    monkeypatch.setattr(bigquery_live, "PIECE_ROWS", 10)
    monkeypatch.setattr(bigquery_live, "PAGE_ROWS", 10)
    world = build(WorldSpec(seed=5, calls=250, hours=1))
    config, now_us = live_config(tmp_path, world, address), instant_us(world.as_of)
    store.put(*bill_of(world))
    commit, left = append._commit, 0

    def dying(*asked: Any) -> append.Taken:
        nonlocal left
        left -= 1
        if left < 0 and asked[2] == "billing_line":
            raise KeyboardInterrupt
        return commit(*asked)

    monkeypatch.setattr(append, "_commit", dying)
    for _ in range(20):
        left = 6  # the other sources' commits, and some of the bill's
        try:
            pipeline.run_once(config, now_us=now_us)
        except KeyboardInterrupt:
            continue
        break
    assert source_counts(config, BILL) == {"new": len(store.rows), "duplicate": 0, "problem": 0, "ignored": 0}
    assert len(store.queries) == 1


@pytest.mark.slow
def test_killed_at_any_call(store: Store, address: str, tmp_path: Path) -> None:
    """Runs killed by SIGKILL in the middle of every call that they make: no row is lost, doubled or paid for twice."""
    one = row("0.000000001", T0_US)
    store.put(*[{**one, "export_time": instant_text(T0_US - (n // 50) * HOUR_US)} for n in range(600)])
    path = tmp_path / "orphaned.yaml"
    source = {"name": BILL, "kind": "gcp-billing", "table": TABLE, "endpoint": address}
    path.write_text(yaml.safe_dump({"sources": [source]}), encoding="utf-8")
    killed = 0
    for call in range(1, 100):
        ended = _run_killed_at(store, path, len(store.asked) + call)
        killed += not ended
        if ended:
            break
    counts = source_counts(load(path), BILL)
    assert killed > 5
    assert counts == {"new": 600, "duplicate": 0, "problem": 0, "ignored": 0}
    assert len(store.queries) == 1


def _run_killed_at(store: Store, config: Path, call: int) -> bool:
    """A run in a process of its own, killed before that call is answered; whether it had ended by then."""
    command = [sys.executable, "-m", "tests.run_process", str(config), str(T0_US + HOUR_US), "500", "100"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        store.before = lambda number: process.kill() if number == call else None
        code = process.wait(120)
    store.before = lambda _: None
    assert code in {0, -9}
    return code == 0


def test_check_tells_the_price(store: Store, address: str, tmp_path: Path) -> None:
    """`orphaned check` says what a first read is billed for, by a dry run; above the bound that is an error."""
    world = build(WorldSpec(seed=7, calls=60, hours=1))
    store.put(*[row(str(n), instant_us(world.as_of) - HOUR_US) for n in range(6000)])
    config = live_config(tmp_path, world, address)
    now_us = instant_us(world.as_of)
    told = [one for one in findings(config, now_us=now_us) if one.place == f"source {BILL}"]
    assert [(one.level, one.message) for one in told] == [
        ("ok", "a first read is billed for 3 MiB (dry run); maximum_bytes_billed is 10,240 MiB")
    ]
    assert store.queries == []
    assert store.asked == ["datasets", "jobs.insert dry"]
    config = live_config(tmp_path / "small", world, address, maximum_bytes_billed="2MiB")
    (found,) = [one for one in findings(config, now_us=now_us) if one.place == f"source {BILL}"]
    assert found.level == "error"
    assert "it will be refused" in found.message
    store.partitioning = {"type": "DAY", "field": "usage_start_time"}
    assert any("every read is billed" in one.message for one in findings(config, now_us=now_us))
    store.denied = {"jobs"}
    assert any("jobUser" in one.message for one in findings(config, now_us=now_us) if one.level == "error")


def test_keys_of_the_config(tmp_path: Path) -> None:
    """The keys have their defaults, and what is no table, size or location is told."""
    path = tmp_path / "orphaned.yaml"
    path.write_text('sources: [{name: bq, kind: gcp-billing, table: "a.b.gcp_billing_export_v1_01-2"}]', "utf-8")
    (source,) = load(path).sources
    assert isinstance(source, GcpBillingSource)
    assert (source.maximum_bytes_billed, source.since_us, source.overlap_us) == (10 * GIB, 35 * DAY_US, 2 * DAY_US)
    for wrong in (
        "table: b.c",
        "table: a.b.c`d",
        "table: a.b.c, maximum_bytes_billed: 5",
        "table: a.b.c, location: e u",
    ):
        path.write_text(f"sources: [{{name: bq, kind: gcp-billing, {wrong}}}]", "utf-8")
        with pytest.raises(Exception, match="is no"):
            load(path)
