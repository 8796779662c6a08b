"""Vertex AI's request-response table as a completion source, from files of its rows."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector import pipeline
from collector.check import findings
from collector.config import Config, ConfigError, load
from collector.records import instant_us
from tests.helpers import DAY_US, T0_US, Row, problems, rows, source_counts, verdicts

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
