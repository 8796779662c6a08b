"""Cloud Logging read live: the real client against a loopback server, window by window, page by page."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import grpc
import msgspec
import pytest
import stamina
import yaml
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport

from collector import pipeline
from collector.check import findings
from collector.config import CloudLoggingSource, Config, load
from collector.ledger import append
from collector.records import instant_text, instant_us
from collector.sources import cloud_logging_api, cloud_logging_live
from collector.sources.cloud_logging_api import Ask, CallError, Page, Quota, http_lister
from collector.sources.cloud_logging_live import LiveCursor, Piece, Query, fetch, watermark_us
from tests.helpers import DAY_US, HOUR_US, T0_US, buckets, problems, rows, source_counts, verdicts
from tests.logging_server import Entry, Store, grpc_server, http_server
from tests.world import World, WorldSpec, build
from tests.world_spec import BACKEND

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
QUERY = Query(("acme",), 'logName:"inference" -- ours', DAY_US, 5 * MINUTE_US)


@pytest.fixture(autouse=True)
def _impatient() -> Iterator[None]:
    """Calls are tried again as often as they would be, but without the waits."""
    with stamina.set_testing(True, attempts=cloud_logging_api.RETRIES, cap=True):
        yield


@pytest.fixture
def store() -> Store:
    """What the server knows."""
    return Store()


@pytest.fixture
def address(store: Store) -> Iterator[str]:
    """Where it listens."""
    with http_server(store) as found:
        yield found


class Clock:
    """A stop watch that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds > 0
        self.now_s += seconds


@dataclass
class Reader:
    """A daemon in small: what it was given, and the places it has committed."""

    address: str
    query: Query = QUERY
    clock: Clock = field(default_factory=Clock)
    cursors: dict[str, LiveCursor] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)

    def read(self, now_us: int, *, die_after: int | None = None) -> list[str]:
        """One run; it may die after so many pieces. The errors that it was told."""
        errors = []
        quota = Quota(self.clock.monotonic, self.clock.sleep)
        found = fetch(
            "live", self.query, list(self.cursors.values()), now_us=now_us,
            file_ids=count(1 + len(self.cursors)), list_page=http_lister(self.address), quota=quota,
            calls_a_minute=60,
        )  # fmt: skip
        for number, piece in enumerate(found):
            if number == die_after:
                break
            self.cursors[piece.cursor.project] = LiveCursor.from_json(piece.cursor.to_json())
            self.lines += piece.table.column("line").to_pylist()
            self.pieces.append(piece)
            errors += [piece.error] if piece.error else []
        return errors

    @property
    def ids(self) -> list[str]:
        """The insertIds of all that was given out, in order."""
        return [json.loads(line)["insertId"] for line in self.lines]


def entry(number: int, at_us: int = T0_US, *, late_us: int = SECOND_US, **more: Any) -> Entry:
    """An entry with that timestamp, received `late_us` later."""
    return {
        "insertId": f"i{number:05d}", "logName": "projects/acme/logs/inference",
        "timestamp": instant_text(at_us), "receiveTimestamp": instant_text(at_us + late_us),
        "jsonPayload": {"n": number}, **more,
    }  # fmt: skip


def entries(count: int, *, step_us: int = SECOND_US, first: int = 0) -> list[Entry]:
    """Entries, one every `step_us` from T0 on."""
    return [entry(first + n, T0_US + n * step_us) for n in range(count)]


def names(count: int) -> list[str]:
    """The insertIds of the first so many entries."""
    return [f"i{number:05d}" for number in range(count)]


# Pages and windows -----------------------------------------------------------------------------------------


def test_several_pages(store: Store, address: str) -> None:
    """All pages are read in order, an empty one with a token too, and every field is there as it was sent."""
    store.put("acme", *entries(2500))
    store.empty_first = True
    reader = Reader(address)
    assert reader.read(T0_US + HOUR_US) == []
    assert reader.ids == names(2500)
    assert [json.loads(line) for line in reader.lines] == store.entries["acme"]
    assert [len(asked.get("pageToken", "")) > 0 for asked in store.asked] == [False, True, True, True]
    assert reader.pieces[-1].table.column("line_no").to_pylist()[-1] == 2500


def test_same_entries_as_over_grpc(store: Store, address: str) -> None:
    """What the real client gets over gRPC from the same entries, the source gives out over HTTP."""
    store.put("acme", *entries(1200))
    reader = Reader(address)
    reader.read(T0_US + HOUR_US)
    with grpc_server(store) as port, grpc.insecure_channel(port) as channel:
        client = LoggingServiceV2Client(transport=LoggingServiceV2GrpcTransport(channel=channel))
        asked = store.asked[0]
        found = client.list_log_entries({
            "resource_names": asked["resourceNames"], "filter": asked["filter"], "order_by": asked["orderBy"],
            "page_size": asked["pageSize"],
        })  # fmt: skip
        told = [(one.insert_id, one.json_payload["n"]) for one in found]
    read = [json.loads(line) for line in reader.lines]
    assert told == [(one["insertId"], one["jsonPayload"]["n"]) for one in read]


def test_what_is_asked(store: Store, address: str) -> None:
    """All pages have one filter: receipt and timestamp bounded on both sides, then the user's own."""
    store.put("acme", *entries(1500))
    Reader(address).read(T0_US + HOUR_US)
    first, second = store.asked
    assert first == {key: value for key, value in second.items() if key != "pageToken"}
    assert first == {
        "resourceNames": ["projects/acme"], "orderBy": "timestamp asc", "pageSize": 1000,
        "filter": 'receiveTimestamp>="2026-11-19T01:00:00.000000Z" AND '
        'receiveTimestamp<"2026-11-20T01:00:00.000000Z" AND '
        'timestamp>="2026-11-18T01:00:00.000000Z" AND timestamp<"2026-11-21T01:00:00.000000Z" AND '
        '(\nlogName:"inference" -- ours\n)',
    }  # fmt: skip


def test_overlap_gives_nothing_twice(store: Store, address: str) -> None:
    """Runs every half minute read the last five minutes again, and give every entry out once."""
    reader = Reader(address)
    store.put("acme", *entries(1200))
    for half_minute in range(1, 45):
        reader.clock.now_s += 30
        reader.read(T0_US + half_minute * MINUTE_US // 2)
    assert reader.ids == names(1200)


def test_late_entries(store: Store, address: str) -> None:
    """An entry received 20 hours after its timestamp is read, and one seen minutes after its receipt."""
    reader = Reader(address)
    store.put("acme", *entries(10))
    reader.read(T0_US + MINUTE_US)
    store.put("acme", entry(10, T0_US, late_us=20 * HOUR_US), entry(11, T0_US, late_us=21 * HOUR_US))
    reader.read(T0_US + 20 * HOUR_US + 30 * SECOND_US)
    reader.read(T0_US + 21 * HOUR_US + MINUTE_US)
    store.put("acme", entry(12, T0_US + 20 * HOUR_US, late_us=HOUR_US - 4 * MINUTE_US + 70 * SECOND_US))
    reader.read(T0_US + 21 * HOUR_US + 2 * MINUTE_US)
    assert reader.ids == names(13)


def test_watermark(store: Store, address: str) -> None:
    """The watermark moves with a window's last page, and the source's is that of its slowest project."""
    store.put("acme", *entries(1500))
    query = Query(("acme", "beta"), "", DAY_US, MINUTE_US)
    reader = Reader(address, query)
    store.faults = [0, 0, *[503] * 6]
    assert len(reader.read(T0_US + HOUR_US)) == 1
    assert reader.cursors["acme"].watermark_us == T0_US + HOUR_US
    assert reader.cursors["beta"].watermark_us is None
    assert watermark_us(query, list(reader.cursors.values())) is None
    assert reader.read(T0_US + 2 * HOUR_US) == []
    assert watermark_us(query, list(reader.cursors.values())) == T0_US + 2 * HOUR_US


def test_a_failed_first_read_is_made_good(store: Store, address: str) -> None:
    """What the first read could not get is read when the service is back, however long that takes."""
    store.put("acme", *entries(5))
    reader = Reader(address)
    store.faults = [503] * 6
    reader.read(T0_US + MINUTE_US)
    reader.read(T0_US + 5 * DAY_US)
    assert reader.ids == names(5)


# What goes wrong -------------------------------------------------------------------------------------------


def test_quota_refusals_pass(store: Store, address: str) -> None:
    """RESOURCE_EXHAUSTED and UNAVAILABLE are tried again."""
    store.put("acme", *entries(1500))
    store.faults = [429, 429, 0, 503, 429]
    reader = Reader(address)
    assert reader.read(T0_US + HOUR_US) == []
    assert reader.ids == names(1500)
    assert len(store.asked) == 6


def test_outage_keeps_the_place(store: Store, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage between two pages ends the run with what was read, and the next goes on with the token."""
    monkeypatch.setattr(cloud_logging_live, "PIECE_PAGES", 3)
    store.put("acme", *entries(900))
    store.page_entries = 100
    store.faults = [0, 0, 0, 0, *[503] * 6]
    reader = Reader(address)
    (error,) = reader.read(T0_US + HOUR_US)
    assert error.startswith("project acme: Cloud Logging could not be reached")
    assert reader.ids == names(400)
    assert reader.read(T0_US + 2 * HOUR_US) == []
    assert reader.ids == names(900)
    assert "pageToken" in store.asked[10]


def test_server_away(store: Store) -> None:
    """A server that is not there is told as such, and of several projects only the first is waited for."""
    with http_server(store) as gone:
        pass
    reader = Reader(gone, Query(("acme", "beta"), "", DAY_US, MINUTE_US))
    first, second = reader.read(T0_US)
    assert first.startswith("project acme: Cloud Logging could not be reached")
    assert second.startswith("project beta: Cloud Logging could not be reached")
    assert [len(piece.cursor.calls_at_us) for piece in reader.pieces] == [6, 1]


def test_permission_denied_on_one(store: Store, address: str) -> None:
    """A project that may not be read is named with the role it lacks, and the others are read."""
    store.put("acme", *entries(3))
    store.put("beta", *entries(3, first=3))
    store.denied = {"acme"}
    reader = Reader(address, Query(("acme", "beta"), "", DAY_US, MINUTE_US))
    (error,) = reader.read(T0_US + HOUR_US)
    assert error.startswith("project acme: reading its log entries is not permitted")
    assert "roles/logging.viewer" in error
    assert "roles/logging.privateLogViewer" in error
    assert reader.ids == names(6)[3:]
    store.denied.clear()
    assert reader.read(T0_US + 2 * HOUR_US) == []
    assert sorted(reader.ids) == names(6)


def test_wrong_filter(store: Store, address: str) -> None:
    """A filter that Logging refuses is told at once, with what it says."""
    store.faults = [400]
    (error,) = Reader(address).read(T0_US)
    assert "Mend `filter`" in error
    assert len(store.asked) == 1


@pytest.mark.parametrize("answer", [b"<html>", b'{"entries":7}', b'{"entries":[{"a"', b"\xff"])
def test_no_page(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    """An answer that is no page is an outage, not the end of the run."""
    decode = msgspec.json.Decoder(Page).decode
    quota = Quota(Clock().monotonic, Clock().sleep)
    caller = cloud_logging_api.Caller(lambda _: decode(answer), quota, 60)
    with pytest.raises(CallError, match="could not be reached, or did not answer"):
        caller.page(Ask("acme", ""))


def test_entries_without_a_key(store: Store, address: str) -> None:
    """Entries that are no entries reach the mapping as lines, once."""
    at = instant_text(T0_US)
    odd = {"timestamp": at, "receiveTimestamp": at, "insertId": "", "x": "\u2028 ü"}
    store.put("acme", odd, odd | {"x": "\0"})
    reader = Reader(address)
    reader.read(T0_US + SECOND_US)
    reader.read(T0_US + 2 * SECOND_US)
    assert [json.loads(line)["x"] for line in reader.lines] == ["\u2028 ü", "\0"]


def test_token_that_is_refused(store: Store, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the server no longer knows a token, the rest is asked for by time, and nothing twice."""
    monkeypatch.setattr(cloud_logging_live, "PIECE_PAGES", 1)
    store.put("acme", *[entry(n, T0_US + n // 7 * SECOND_US) for n in range(100)])
    store.page_entries = 10
    reader = Reader(address)
    reader.read(T0_US + HOUR_US, die_after=3)
    store.tokens.clear()
    assert reader.read(T0_US + 2 * HOUR_US) == []
    assert reader.ids == names(100)


def test_token_that_is_too_old(store: Store, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token near the end of its life is not used."""
    monkeypatch.setattr(cloud_logging_live, "PIECE_PAGES", 1)
    store.put("acme", *entries(30))
    store.page_entries = 10
    reader = Reader(address)
    reader.read(T0_US + HOUR_US, die_after=1)
    store.asked.clear()
    reader.read(T0_US + 25 * HOUR_US)
    assert "pageToken" not in store.asked[0]
    assert reader.ids == names(30)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_lost_or_doubled(store: Store, address: str, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Whatever dies between pages, and whatever comes late, each entry is given out exactly once."""
    rng = Random(seed)
    monkeypatch.setattr(cloud_logging_live, "PIECE_PAGES", rng.choice([1, 2]))
    reader, now_us, made = Reader(address), T0_US, 0
    for _ in range(40):
        reader.clock.now_s += 60
        for _ in range(rng.randrange(30)):
            at_us = now_us - rng.choice([0, 0, 0, 3 * HOUR_US]) + rng.randrange(20) * SECOND_US
            store.put("acme", entry(made, at_us, late_us=now_us - at_us + 20 * SECOND_US))
            made += 1
        now_us += rng.choice([30 * SECOND_US, 5 * MINUTE_US])
        store.page_entries, store.empty_first = rng.choice([3, 10, 1000]), rng.random() < 0.3
        store.faults = [503] * 6 if rng.random() < 0.1 else [0] * rng.randrange(4) + [503] * rng.randrange(7)
        if rng.random() < 0.1:
            store.tokens.clear()
        reader.read(now_us, die_after=rng.choice([None, 0, 1, 2, 3]))
    store.faults = []
    reader.clock.now_s += 60
    reader.read(now_us + MINUTE_US)
    assert Counter(reader.ids) == Counter(names(made))


# Quota -----------------------------------------------------------------------------------------------------


def in_any_minute(calls: Sequence[float]) -> int:
    """The most calls that any minute has."""
    return max(sum(1 for other in calls if call <= other < call + 60) for call in calls)


def test_quota_is_kept() -> None:
    """However calls are bunched, no minute has more than 60 of a project, and each project has its own 60."""
    clock, rng = Clock(), Random(1)
    quota = Quota(clock.monotonic, clock.sleep)
    calls: dict[str, list[float]] = {"acme": [], "beta": []}
    for _ in range(1000):
        clock.now_s += rng.choice([0, 0, 0, 0.1, 0.3, 0.5]) if rng.random() < 0.997 else 40
        project = rng.choice(["acme", "acme", "beta"])
        quota.wait(project, 60)
        calls[project].append(clock.now_s)
    assert in_any_minute(calls["acme"]) == 60
    assert in_any_minute(calls["beta"]) <= 60


def test_quota_across_processes(store: Store, address: str) -> None:
    """Runs that are processes of their own keep the quota between them: the calls stand in the cursor."""
    store.put("acme", *entries(450))
    store.page_entries = 10
    reader = Reader(address)
    reader.read(T0_US + HOUR_US)
    assert reader.clock.now_s == 0
    assert len(store.asked) == 45
    store.put("acme", *[entry(450 + number, T0_US + HOUR_US) for number in range(450)])
    reader.read(T0_US + HOUR_US + 10 * SECOND_US)
    assert 50 < reader.clock.now_s < 60


# Split entries ---------------------------------------------------------------------------------------------


def parts(number: int, at_us: int, count: int) -> list[Entry]:
    """An audit entry in so many parts."""
    return [
        entry(number, at_us) | {
            "insertId": f"i{number:05d}-{index}",
            "split": {"uid": f"u{number}", "index": index, "totalSplits": count},
            "protoPayload": {
                "methodName": "m", "request": {"text": f"<{index}>", "all": [index], "@type": "t"},
            },
        }
        for index in range(count)
    ]  # fmt: skip


def test_split_entries_are_joined(store: Store, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts of an entry come out as one, even when a page ends between them."""
    monkeypatch.setattr(cloud_logging_live, "PIECE_PAGES", 1)
    store.put("acme", *entries(9), *parts(9, T0_US + 9 * SECOND_US, 3), entry(10, T0_US + 10 * SECOND_US))
    store.page_entries = 10
    reader = Reader(address)
    reader.read(T0_US + HOUR_US)
    assert len(reader.lines) == 11
    (whole,) = [json.loads(line) for line in reader.lines if "protoPayload" in line]
    assert whole["protoPayload"] == {
        "methodName": "m", "request": {"text": "<0><1><2>", "all": [0, 1, 2], "@type": "t"},
    }  # fmt: skip
    assert "split" not in whole


def test_split_entry_that_lacks_a_part(store: Store, address: str) -> None:
    """A part that comes within the overlap is waited for; later, what is there is a problem."""
    first, second = parts(1, T0_US, 2)
    store.put("acme", first, *parts(2, T0_US, 2)[:1])
    reader = Reader(address)
    reader.read(T0_US + MINUTE_US)
    assert reader.pieces[-1].lines == 0
    store.put("acme", second)
    reader.read(T0_US + 2 * MINUTE_US)
    assert [json.loads(line)["insertId"] for line in reader.lines] == ["i00001-0"]
    reader.read(T0_US + 20 * MINUTE_US)
    reader.read(T0_US + 21 * MINUTE_US)
    (problem,) = [problem for piece in reader.pieces for problem in piece.problems]
    assert problem.kind == "incomplete entry"
    assert problem.place == "projects/acme/logs/inference i00002-0"
    assert "missing: [1]" in problem.message


# The whole pipeline ----------------------------------------------------------------------------------------


def live_config(directory: Path, world: World, address: str, projects: Sequence[str]) -> Config:
    """The world in `directory`, but for the backend's files: those entries come from the server."""
    path = world.write(directory)
    for file in (directory / "backend").iterdir():
        file.unlink()
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    for source in settings["sources"]:
        if source["name"] == BACKEND:
            del source["path"]
            source |= {
                "kind": "cloud-logging", "projects": list(projects), "endpoint": address, "since": "30d",
                "filter": 'logName:"inference"',
            }  # fmt: skip
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return load(path)


def served(world: World, store: Store) -> list[str]:
    """Put the backend's entries where the server has them; the projects."""
    for line in world.lines:
        if line.source == BACKEND:
            told = json.loads(line.data)
            store.put(told["resource"]["labels"]["project_id"], told)
    return sorted(store.entries)


def test_same_verdicts_as_from_files(store: Store, address: str, tmp_path: Path) -> None:
    """Read live, through an outage and in runs of their own, a world's entries give what its files give."""
    world = build(WorldSpec(seed=5, calls=250, hours=1))
    files = load(world.write(tmp_path / "files"))
    now_us = instant_us(world.as_of)
    pipeline.run_once(files, now_us=now_us)
    config = live_config(tmp_path / "live", world, address, served(world, store))
    store.page_entries = 40
    store.faults = [0, 0, *[503] * 20]
    failed = pipeline.run_once(config, now_us=now_us - HOUR_US)
    assert failed.sources_failed == (BACKEND,)
    (state,) = [row for row in rows(config, "source_state") if row["source"] == BACKEND]
    assert not state["up"]
    assert state["watermark_at_us"] is None
    store.faults = []
    done = pipeline.run_once(config, now_us=now_us)
    assert done.sources_failed == ()
    assert verdicts(config) == verdicts(files)
    assert buckets(config) == buckets(files)
    assert source_counts(config, BACKEND) == source_counts(files, BACKEND)
    again = pipeline.run_once(config, now_us=now_us + MINUTE_US)
    assert again.run.rows_new == 0
    assert source_counts(config, BACKEND) == source_counts(files, BACKEND)
    (state,) = [row for row in rows(config, "source_state") if row["source"] == BACKEND]
    assert state["watermark_at_us"] == now_us + MINUTE_US


def test_invalid_entries_are_problems_once(store: Store, address: str, tmp_path: Path) -> None:
    """An entry that tells no completion right is one problem, however often its window is read."""
    world = build(WorldSpec(seed=6, calls=10, hours=1))
    config = live_config(tmp_path, world, address, ["acme"])
    now_us = instant_us(world.as_of)
    store.put("acme", entry(1, now_us - MINUTE_US) | {"jsonPayload": {"model": "m", "completion_id": ""}})
    for minute in range(3):
        pipeline.run_once(config, now_us=now_us + minute * MINUTE_US)
    assert problems(config)[BACKEND, "invalid line"] == 1


def test_check_tries_it(store: Store, address: str, tmp_path: Path) -> None:
    """`orphaned check` asks every project for some entries, and names those that it may not read."""
    world = build(WorldSpec(seed=7, calls=60, hours=1))
    config = live_config(tmp_path, world, address, served(world, store))
    (source,) = [one for one in config.sources if isinstance(one, CloudLoggingSource)]
    told = [
        finding for finding in findings(config, now_us=instant_us(world.as_of)) if finding.place == f"source {BACKEND}"
    ]
    assert told
    assert len(store.asked) == len(source.projects)
    store.denied = {source.projects[0]}
    errors = [
        finding.message for finding in findings(config, now_us=instant_us(world.as_of)) if finding.level == "error"
    ]
    assert any("roles/logging.viewer" in message for message in errors)


def test_killed_between_commits(store: Store, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that dies between two commits has lost and doubled nothing after the next run."""
    monkeypatch.setattr(cloud_logging_live, "PIECE_PAGES", 1)
    world = build(WorldSpec(seed=8, calls=80, hours=1))
    files = load(world.write(tmp_path / "files"))
    now_us = instant_us(world.as_of)
    pipeline.run_once(files, now_us=now_us)
    config = live_config(tmp_path / "live", world, address, served(world, store))
    store.page_entries = 20
    real: Any = append.take_all
    taken = 0

    def dying(*arguments: Any, **more: Any) -> Iterator[append.Taken]:
        nonlocal taken
        taken += more["kind"] == "backend_completion"
        if taken == 4:
            raise KeyboardInterrupt
        yield from real(*arguments, **more)

    monkeypatch.setattr(append, "take_all", dying)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run_once(config, now_us=now_us)
    monkeypatch.setattr(append, "take_all", real)
    calls = len(store.asked)
    pipeline.run_once(config, now_us=now_us)
    assert "pageToken" in store.asked[calls]
    assert source_counts(config, BACKEND) == source_counts(files, BACKEND)
    assert verdicts(config) == verdicts(files)
    assert buckets(config) == buckets(files)
