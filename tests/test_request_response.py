"""Vertex AI's request-response table as a completion source, from files of its rows and live from BigQuery."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import stamina
import yaml

from collector import pipeline
from collector.check import findings
from collector.config import Config, ConfigError, load
from collector.records import instant_text, instant_us
from tests.bigquery_server import Store, at_us, server
from tests.helpers import DAY_US, T0_US, Row, problems, rows, source_counts, verdicts

TABLE = "acme.logging.request_response_logging"
MINUTE_US = 60_000_000

FINISHED_US = instant_us(datetime.fromisoformat("2026-11-20T09:16:58.248+00:00"))


def row(**more: Any) -> Row:
    """A row as Google documents it."""
    return {
        "request_id": "5374205265901353984", "logging_time": "2026-11-20T09:16:58.248Z", "endpoint": None,
        "deployed_model_id": None, "model": "publishers/google/models/gemini-2.5-flash", "model_version": "default",
        "api_method": "GenerateContent", "metadata": {"request_latency": 170836.1},
        "full_request": {"labels": {"app": "chat", "request_id": "r1"}, "contents": [{"text": "a prompt"}]},
        "full_response": {
            "responseId": "y0S_aMGPArCYqsMPntGNyA4", "candidates": [{"finishReason": "STOP"}],
            "usageMetadata": {
                "promptTokenCount": 812, "cachedContentTokenCount": 512, "candidatesTokenCount": 240,
                "thoughtsTokenCount": 9011, "totalTokenCount": 10063, "trafficType": "ON_DEMAND",
            },
        },
        **more,
    }  # fmt: skip


def run(directory: Path, *lines: Row | str, calls: tuple[Row, ...] = ()) -> Config:
    """The config of a run over those lines, and over client calls if there are any."""
    sources = [{"name": "vertex", "kind": "vertex-request-response-file", "path": "rows.jsonl", "account": "acme"}]
    if calls:
        sources.append({"name": "app", "kind": "client-log", "path": "app.jsonl"})
        (directory / "app.jsonl").write_text("".join(json.dumps(one) + "\n" for one in calls), "utf-8")
    path = directory / "orphaned.yaml"
    path.write_text(yaml.safe_dump({"sources": sources}), "utf-8")
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    (directory / "rows.jsonl").write_text(text, "utf-8")
    config = load(path)
    pipeline.run_once(config, now_us=T0_US + DAY_US)
    return config


@pytest.mark.parametrize("as_text", [False, True])
def test_a_row_of_gemini(tmp_path: Path, as_text: bool) -> None:
    """Ids are exact, latency is milliseconds, cached tokens stand in the prompt and thoughts beside the answer."""
    told = row()
    if as_text:  # as some drivers hand JSON columns on
        told |= {name: json.dumps(told[name]) for name in ("metadata", "full_request", "full_response")}
    (found,) = rows(run(tmp_path, told), "backend_completion")
    expected = {
        "completion_id": "5374205265901353984", "account": "acme", "provider": "gcp.vertex_ai",
        "model": "gemini-2.5-flash", "stream": False, "status": "ok", "request_id": "r1",
        "response_id": "y0S_aMGPArCYqsMPntGNyA4", "finished_at_us": FINISHED_US,
        "received_at_us": FINISHED_US - 170_836_100, "input_tokens": 812 - 512, "cached_input_tokens": 512,
        "output_tokens": 240, "thinking_tokens": 9011, "price_class": None,
    }  # fmt: skip
    assert {key: found[key] for key in expected} == expected


def test_a_row_of_claude(tmp_path: Path) -> None:
    """Claude's counts do not include one another; a number as id keeps all its digits."""
    usage = {"input_tokens": 100, "cache_read_input_tokens": 40, "output_tokens": 7}
    told = row(
        model="publishers/anthropic/models/claude-sonnet-4", api_method="StreamRawPredict",
        full_response={"id": "msg_1", "usage": usage}, request_id=5374205265901353985,
    )  # fmt: skip
    (found,) = rows(run(tmp_path, told), "backend_completion")
    assert (found["input_tokens"], found["cached_input_tokens"], found["output_tokens"]) == (100, 40, 7)
    assert (found["completion_id"], found["response_id"]) == ("5374205265901353985", "msg_1")
    assert found["stream"]


def test_tools_and_provisioned_throughput(tmp_path: Path) -> None:
    """What tools put in counts as input; provisioned throughput is a class of its own."""
    usage = {"promptTokenCount": 10, "toolUsePromptTokenCount": 5, "trafficType": "PROVISIONED_THROUGHPUT"}
    (found,) = rows(run(tmp_path, row(full_response={"usageMetadata": usage})), "backend_completion")
    assert (found["input_tokens"], found["price_class"]) == (15, "provisioned")


def test_duplicates_and_garbage(tmp_path: Path) -> None:
    """A row that was inserted twice counts once; what is no row is a problem with its line."""
    usage = {"promptTokenCount": -1}
    config = run(
        tmp_path, row(), row(), row(request_id="2"), "{", row(request_id="3", metadata={"request_latency": "soon"}),
        row(request_id="4", full_response={"usageMetadata": usage}), row(request_id="5", logging_time=None),
    )  # fmt: skip
    assert source_counts(config, "vertex") == {"new": 2, "duplicate": 1, "problem": 4, "ignored": 0}
    assert problems(config)["vertex", "invalid line"] == 4


def test_an_orphan_is_found(tmp_path: Path) -> None:
    """A call that timed out while Vertex ran on is orphaned: its request id stands in the labels."""
    started = {
        "event": "started", "call_id": "c1", "at": "2026-11-20T09:14:07.500000Z", "service": "chat",
        "provider": "gcp.vertex_ai", "account": "acme", "model": "gemini-2.5-flash",
        "operation": "generate_content", "stream": False, "request_id": "r1",
    }  # fmt: skip
    ended = {
        "event": "ended", "call_id": "c1", "at": "2026-11-20T09:14:17.500000Z", "outcome": "aborted",
        "reason": "timeout", "bytes_received": 0, "output_tokens_received": 0,
    }  # fmt: skip
    (found,) = verdicts(run(tmp_path, row(), calls=(started, ended)))
    assert (found["verdict"], found["evidence"]) == ("orphaned", "exact")


def test_check_and_config(tmp_path: Path) -> None:
    """`check` counts its lines; an account is required, and fields are refused."""
    config = run(tmp_path, row(), row(request_id="2"))
    told = [one.message for one in findings(config, now_us=T0_US) if one.place == "source vertex"]
    assert any("of the first 2 lines 2 are records" in message for message in told)
    for wrong, said in (("", "account"), (", account: a, fields: {model: m}", "takes no `fields`")):
        config.path.write_text(f"sources: [{{name: v, kind: vertex-request-response-file, path: a{wrong}}}]", "utf-8")
        with pytest.raises(ConfigError, match=said):
            load(config.path)


# Live -----------------------------------------------------------------------------------------------------


def selected(told: Row) -> Row:
    """What the query selects of a row, as BigQuery prints it: nested as it was, and text at the leaves."""

    def texts(value: Row | None, *names: str) -> Row:
        found = value or {}
        return {name: None if found.get(name) is None else str(found[name]) for name in names}

    answer = told["full_response"]
    return {
        **{name: told[name] for name in ("request_id", "logging_time", "model", "api_method")},
        **({"otel_log": texts(told["otel_log"], "traceId")} if "otel_log" in told else {}),
        "metadata": texts(told["metadata"], "request_latency"),
        "full_request": {"labels": texts(told["full_request"].get("labels"), "request_id", "trace_id", "span_id")},
        "full_response": {
            **texts(answer, "responseId", "id"),
            "error": texts(answer.get("error"), "status", "code"),
            "usageMetadata": texts(
                answer.get("usageMetadata"), "promptTokenCount", "toolUsePromptTokenCount", "cachedContentTokenCount",
                "candidatesTokenCount", "thoughtsTokenCount", "trafficType",
            ),
            "usage": texts(answer.get("usage"), "input_tokens", "cache_read_input_tokens", "output_tokens"),
        },
    }  # fmt: skip


def minute_us(told: Row) -> int:
    """The minute that a row was logged in."""
    return at_us(told["logging_time"]) // MINUTE_US * MINUTE_US


@pytest.fixture
def store() -> Store:
    """What the server that stands in for BigQuery knows."""
    return Store(table=TABLE, instant_us=minute_us, select=selected)


@pytest.fixture
def live(store: Store, tmp_path: Path) -> Iterator[Config]:
    """A config whose one source is the table on that server."""
    with server(store) as address, stamina.set_testing(True, attempts=2, cap=True):
        path = tmp_path / "orphaned.yaml"
        entry = {
            "name": "vertex", "kind": "vertex-request-response", "table": TABLE, "account": "acme",
            "endpoint": address, "since": "30d",
        }  # fmt: skip
        path.write_text(yaml.safe_dump({"sources": [entry]}), "utf-8")
        yield load(path)


def numbered(count: int, first: int = 0) -> list[Row]:
    """Rows of their own ids, ten seconds apart; some are failures, some are Claude's."""
    told = [
        row(request_id=str(n), logging_time=instant_text(FINISHED_US + n * 10_000_000)) for n in range(first, count)
    ]
    for one in told[::7]:
        one["full_response"] = {"error": {"status": "CANCELLED", "code": 499}}
    for one in told[3::7]:
        one |= {"model": "publishers/anthropic/models/claude-sonnet-4", "full_response": {
            "id": f"msg_{one['request_id']}", "usage": {"input_tokens": 100, "output_tokens": 7},
        }}  # fmt: skip
    return told


def completions(config: Config) -> list[Row]:
    """What is known of the completions, but for where it was read."""
    places = {"source", "file_id", "line_no", "batch_id"}
    found = [{key: one[key] for key in one.keys() - places} for one in rows(config, "backend_completion")]
    return sorted(found, key=lambda one: int(one["completion_id"]))


def test_live_as_from_files(store: Store, live: Config, tmp_path: Path) -> None:
    """Read live in three runs, as it grows and through an outage, a table gives what its rows in a file give."""
    told = numbered(100)
    (tmp_path / "files").mkdir()
    files = completions(run(tmp_path / "files", *told))
    store.put(*told[:40])
    pipeline.run_once(live, now_us=T0_US + DAY_US)
    store.put(*told[40:70])
    store.faults = [""] + ["backendError"] * 20
    assert pipeline.run_once(live, now_us=T0_US + DAY_US).sources_failed == ("vertex",)
    store.faults = []
    pipeline.run_once(live, now_us=T0_US + DAY_US)
    store.put(*told[70:])
    pipeline.run_once(live, now_us=T0_US + DAY_US)
    assert completions(live) == files
    assert len(files) == 100
    before = len(store.queries)
    assert pipeline.run_once(live, now_us=T0_US + DAY_US).run.rows_new == 0
    assert len(store.queries) == before


def test_only_minutes_that_have_grown(store: Store, live: Config) -> None:
    """A late row has its minute read again, whole and alone: what was known of it are duplicates."""
    told = numbered(60)  # ten minutes of six rows
    late = told.pop(27)
    store.put(*told)
    pipeline.run_once(live, now_us=T0_US + DAY_US)
    assert source_counts(live, "vertex") == {"new": 59, "duplicate": 0, "problem": 0, "ignored": 0}
    store.put(late)
    pipeline.run_once(live, now_us=T0_US + DAY_US)
    same_minute = sum(minute_us(one) == minute_us(late) for one in told)
    assert source_counts(live, "vertex") == {"new": 60, "duplicate": same_minute, "problem": 0, "ignored": 0}


@pytest.mark.parametrize("with_traces", [False, True])
def test_no_prompt_is_asked_for(store: Store, live: Config, with_traces: bool) -> None:
    """Nothing but labels, counts and ids is selected; the traces' column only where the table has one."""
    store.columns = ("otel_log",) if with_traces else ()
    store.put(row(otel_log={"traceId": "ab" * 16}) if with_traces else row())
    pipeline.run_once(live, now_us=T0_US + DAY_US)
    (text,) = store.queries
    assert "contents" not in text
    assert "full_request AS" not in text
    (found,) = completions(live)
    assert found["trace_id"] == ("ab" * 16 if with_traces else None)


def test_looked_at_with_the_bill(store: Store, live: Config) -> None:
    """Every look may be billed, so it is taken as often as at the bill, and `check` tells what the first one costs."""
    store.put(row())
    pipeline.run_once(live, now_us=T0_US + DAY_US, bill=False)
    assert store.asked == []
    told = [one for one in findings(live, now_us=T0_US + DAY_US) if one.place == "source vertex"]
    assert [one.level for one in told] == ["ok"]
    store.partitioning = {"type": "DAY", "field": "logging_time"}
    assert [one.level for one in findings(live, now_us=T0_US + DAY_US) if one.place == "source vertex"] == ["ok"]
    store.partitioning = None
    told = [one for one in findings(live, now_us=T0_US + DAY_US) if one.place == "source vertex"]
    assert "not by ingestion or logging_time: every read is billed" in told[0].message
