"""`explain`: the life of one call, told from the ledger's own rows and the lines that they came from."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from collector.config import Config, load
from collector.exporters.explain import explained
from collector.exporters.telling import told
from collector.pipeline import reading, run_once
from collector.records import instant_text, instant_us
from collector.sources.lookback import line_text
from tests.world import World, WorldSpec, build

START = datetime(2026, 11, 20, 9, tzinfo=UTC)


def lives(config: Config, wanted: str) -> list[dict[str, Any]]:
    """What is known of an id by the last run."""
    with reading(config) as (connection, values):
        return explained(connection, wanted, values, lambda path, no: line_text(config.root / path, no))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Config]:
    """A world that was read twice: without its bill, then with it."""
    made = build(WorldSpec(seed=1, calls=250, kills=1))
    directory = tmp_path_factory.mktemp("explain")
    config = load(made.write(directory, "logs"))
    run_once(config, now_us=instant_us(made.as_of - timedelta(hours=1)))
    made.write(directory)
    run_once(config, now_us=instant_us(made.as_of))
    return made, config


@pytest.fixture
def opened(world: tuple[World, Config]) -> Iterator[tuple[duckdb.DuckDBPyConnection, Any]]:
    """Its ledger."""
    with reading(world[1]) as found:
        yield found


def test_every_abort_is_told_as_it_was(
    world: tuple[World, Config], opened: tuple[duckdb.DuckDBPyConnection, Any]
) -> None:
    """For every abort: its true verdict, its completion, and source lines that bear its id."""
    made, config = world
    connection, values = opened
    for abort in made.aborts:
        documents = explained(connection, abort.call_id, values, lambda path, no: line_text(config.root / path, no))
        mine = [
            (document, call)
            for document in documents
            for call in document["calls"]
            # an id may pass a proxy more than once
            if (call["observer"], call["call_id"], call["started_at"])
            == (abort.observer, abort.call_id, instant_text(instant_us(abort.started_at)))
        ]
        assert len(mine) == 1
        document, call = mine[0]
        assert call["verdict"]["verdict"] == abort.verdict
        completions = [completion["completion_id"] for completion in document["completions"]]
        assert completions == ([abort.completion_id] if abort.completion_id else [])
        assert all(abort.call_id in line["text"] for line in call["lines"])
        text = told(documents, abort.call_id)
        assert "Verdict: " in text
        assert "None" not in text


def test_versions_say_what_the_bill_changed(world: tuple[World, Config]) -> None:
    """The first version was estimated; the second came with the bill, and says that it is billed now."""
    made, config = world
    abort = next(one for one in made.aborts if one.verdict == "orphaned" and one.on_money_row)
    call = next(c for c in lives(config, abort.call_id)[0]["calls"] if c["observer"] == abort.observer)
    first, second = call["versions"]
    assert (first["basis"], second["basis"]) == ("estimated", "billed")
    assert first["changed"] == []
    assert "basis" in second["changed"]
    assert "basis is now billed" in told(lives(config, abort.call_id), abort.call_id)


def test_share_of_the_bill_is_the_cost(world: tuple[World, Config]) -> None:
    """The shares of the bill add up to the verdict's cost, and the prices to the estimate before it."""
    from decimal import Decimal

    made, config = world
    abort = next(one for one in made.aborts if one.verdict == "orphaned" and one.on_money_row)
    document = lives(config, abort.call_id)[0]
    completion = document["completions"][0]
    call = next(c for c in document["calls"] if c["observer"] == abort.observer)
    assert sum(Decimal(share["share"]) for share in completion["bill_shares"]) == Decimal(call["verdict"]["cost"])
    estimate = sum(Decimal(price["estimated_cost"]) for price in completion["prices"])
    assert estimate == Decimal(call["versions"][0]["cost"])
    assert {price["origin"] for price in completion["prices"]} == {"config"}


@pytest.mark.parametrize("name", ["call_id", "request_id", "response_id", "completion_id", "insert_id", "trace_id"])
def test_any_id_finds_it(opened: tuple[duckdb.DuckDBPyConnection, Any], name: str) -> None:
    """Each kind of id leads to a life that bears it."""
    connection, values = opened
    table = "client_call" if name == "call_id" else "backend_completion"
    rows = connection.table(table).filter(duckdb.ColumnExpression(name).isnotnull()).select(name).fetchmany(1)
    if not rows:
        pytest.skip(f"this world has no {name}")
    found = explained(connection, rows[0][0], values, lambda _path, _no: None)
    assert found
    assert json.loads(json.dumps(found)) == found
    assert "the line is no longer there" in told(found, rows[0][0])


def test_an_unknown_id_has_no_life(world: tuple[World, Config]) -> None:
    """An id that no record bears leads nowhere."""
    assert lives(world[1], "no such id") == []


def test_a_delivered_call_lost_nothing(world: tuple[World, Config]) -> None:
    """A call that was delivered is told with its completion, and that nothing was lost."""
    made, config = world
    aborted = {abort.call_id for abort in made.aborts}
    call = next(
        one for one in made.calls
        if one.work and one.work.logged and one.call_id not in aborted
        and one.client and one.client.outcome == "delivered"
    )  # fmt: skip
    text = told(lives(config, call.call_id), call.call_id)
    assert "Nothing was lost" in text
    assert f"Why completion {made.completion_of[call.call_id]} belongs to it" in text


CONFIG = """
ledger: {path: ledger.duckdb}
sources:
  - {name: app, kind: client-log, path: "client*.jsonl"}
  - {name: backend, kind: cloud-logging-file, path: "backend.jsonl", provider: gcp.vertex_ai}
"""


def small(directory: Path) -> Config:
    """A call that ran into a timeout, which no completion answers."""
    base = {"call_id": "c1", "event": "started", "at": "2026-11-20T09:00:00Z", "service": "chat"}
    asked = {"provider": "gcp.vertex_ai", "account": "acme", "model": "m-1", "stream": False}
    ended = {"event": "ended", "call_id": "c1", "at": "2026-11-20T09:00:10Z", "outcome": "aborted"}
    lines = [base | asked, ended | {"reason": "timeout"}]
    (directory / "client.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (directory / "backend.jsonl").write_text("", encoding="utf-8")
    (directory / "orphaned.yaml").write_text(CONFIG, encoding="utf-8")
    return load(directory / "orphaned.yaml")


def test_pending_becomes_unmatched(tmp_path: Path) -> None:
    """Within the horizon it says until when is waited; afterwards that the cost is unknown."""
    config = small(tmp_path)
    run_once(config, now_us=instant_us(START + timedelta(minutes=5)))
    text = told(lives(config, "c1"), "c1")
    assert "after 10.000 s the call of chat ran into a timeout." in text
    assert "waited for until 30 minutes after 2026-11-20T09:00:10.000000Z" in text
    run_once(config, now_us=instant_us(START + timedelta(hours=2)))
    text = told(lives(config, "c1"), "c1")
    assert "Verdict: unmatched, evidence none." in text
    assert "verdict is now unmatched" in text


def test_a_line_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    """When another file has taken the place of the log, its line is not shown as the source."""
    config = small(tmp_path)
    run_once(config, now_us=instant_us(START + timedelta(minutes=5)))
    (tmp_path / "client.jsonl").write_text('{"event":"started","call_id":"c9"}\n' * 2, encoding="utf-8")
    text = told(lives(config, "c1"), "c1")
    assert "client.jsonl:1" in text
    assert text.count("(the line is no longer there)") == 2
    assert "c9" not in text


def test_a_line_is_found_in_packed_files_too(tmp_path: Path) -> None:
    """The text of a line is its text whether the file is packed or not; what is not there has none."""
    plain, packed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"
    plain.write_bytes(b"\xef\xbb\xbfone\r\ntwo\n")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    for path in (plain, packed):
        assert [line_text(path, no) for no in (1, 2, 3)] == ["one", "two", None]
    packed.write_bytes(packed.read_bytes()[:-12])
    assert line_text(packed, 9) is None
    assert line_text(tmp_path / "nowhere", 1) is None


def completion(name: str, second: float, latency_s: float) -> str:
    """An entry of `small`'s backend that bears no id of the call."""
    at = START + timedelta(seconds=second)
    usage = {"input_tokens": 100, "output_tokens": 50}
    entry = {
        "insertId": name, "logName": "l", "timestamp": instant_text(int(at.timestamp() * 1e6)),
        "httpRequest": {"latency": f"{latency_s}s"}, "resource": {"labels": {"project_id": "acme"}},
        "jsonPayload": {"model": "m-1", "stream": False, "status": "ok", "usage": usage},
    }  # fmt: skip
    return json.dumps(entry) + "\n"


def test_rivals_are_shown_with_what_speaks_for_them(tmp_path: Path) -> None:
    """Two completions may be the call's: both stand there with their terms, and what is left for none of them."""
    config = small(tmp_path)
    near, far = completion("near", 12.0, 11.99), completion("far", 14.0, 13.6)
    (tmp_path / "backend.jsonl").write_text(near + far, encoding="utf-8")
    run_once(config, now_us=instant_us(START + timedelta(hours=2)))
    (document,) = lives(config, "c1")
    rivals = document["calls"][0]["rivals"]
    assert [(rival["completion_id"], rival["chosen"]) for rival in rivals] == [("near", True), ("far", False)]
    for rival in rivals:
        assert rival["weight"] == pytest.approx(sum(rival["terms"].values()), abs=1e-4)
    assert rivals[0]["weight"] > rivals[1]["weight"]
    text = told([document], "c1")
    shown = text[text.index("What c1 may be") : text.index("Why completion near")]
    assert [line.split()[0] for line in shown.splitlines()[2:5]] == ["near", "far", "none"]
    left = 1 - sum(rival["probability"] for rival in rivals)
    assert f"{left:.3f}" in shown.splitlines()[4]


def test_a_retry_is_told_in_one_sentence(tmp_path: Path) -> None:
    """A call that names the one before it: the chain is told once, with how it was found."""
    config = small(tmp_path)
    again = {"call_id": "c2", "event": "started", "at": "2026-11-20T09:00:11Z", "service": "chat", "retry_of": "c1"}
    asked = {"provider": "gcp.vertex_ai", "account": "acme", "model": "m-1", "stream": False}
    done = {"event": "ended", "call_id": "c2", "at": "2026-11-20T09:00:15Z", "outcome": "delivered"}
    with (tmp_path / "client.jsonl").open("a", encoding="utf-8") as log:
        log.writelines(json.dumps(line) + "\n" for line in (again | asked, done))
    run_once(config, now_us=instant_us(START + timedelta(hours=2)))
    text = told(lives(config, "c1"), "c1")
    assert "This call was retried 1.0 s later as c2 (retry_of: its log names the call before it)" in text
    assert "tried again as" not in text
    later = told(lives(config, "c2"), "c2")
    assert "It was itself a retry, attempt 2 of its chain" in later
    assert "It is a retry of" not in later
