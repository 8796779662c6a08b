"""Presets: what Google writes into Cloud Logging, entry by entry, and through the whole pipeline."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stamina

from collector.check import Finding, findings
from collector.config import parse
from collector.config.load import PRESETS
from collector.sources.presets import FILTERS
from tests.helpers import DESK_CONFIG, HOUR_US, MINUTE_US, T0_US, Desk, Row, at, rows, source_counts, verdicts
from tests.logging_server import Store, http_server

TRACE, SPAN = "1f2e3d4c5b6a79880123456789abcdef", "0a1b2c3d4e5f6071"
OTHER_TRACE, OTHER_SPAN = "9" * 32, "7" * 16
ROUTES = [
    {
        "match": "^/v2/reply$",
        "provider": "gcp.vertex_ai",
        "account": "acme",
        "model": "acme-chat-1",
        "operation": "chat",
    }
]
BACKEND, BILL = DESK_CONFIG["sources"][2], DESK_CONFIG["sources"][3]
BALANCER: Row = {
    "name": "lb", "kind": "cloud-logging-file", "preset": "http-load-balancer", "path": "lb/*.jsonl", "routes": ROUTES,
}  # fmt: skip
CLOUD_RUN: Row = BALANCER | {"name": "run", "preset": "cloud-run-requests", "path": "run/*.jsonl"}
STDOUT: Row = {"name": "out", "kind": "cloud-logging-file", "preset": "client-log", "path": "out/*.jsonl"}
METADATA: Row = {
    "name": "meta", "kind": "cloud-logging-file", "preset": "vertex-inference-metadata", "path": "meta/*.jsonl",
}  # fmt: skip
AUDIT: Row = {"name": "audit", "kind": "cloud-logging-file", "preset": "vertex-audit", "path": "audit/*.jsonl"}
LB_FILE, RUN_FILE, OUT_FILE = "lb/a.jsonl", "run/a.jsonl", "out/a.jsonl"


def desk_of(directory: Path, *sources: Row) -> Desk:
    """A desk with these sources."""
    return Desk(directory, sources=list(sources))


def balanced(details: str | None = "client_disconnected_before_any_response", **more: Any) -> Row:
    """An entry of a load balancer: a call that its client left after nearly ten seconds, unless `more` says otherwise.

    `more` goes into its httpRequest; what is None there is missing.
    """
    request = {
        "requestMethod": "POST", "requestUrl": "https://api.acme.example/v2/reply?x=1", "requestSize": "2210",
        "userAgent": "acme/9", "remoteIp": "198.51.100.4", "latency": "9.75s", **more,
    }  # fmt: skip
    return {
        "insertId": "7q1lb0", "logName": "projects/acme/logs/requests", "timestamp": "2026-11-20T08:30:11.25Z",
        "severity": "WARNING",
        "resource": {"type": "http_load_balancer", "labels": {
            "backend_service_name": "reply-be", "url_map_name": "reply", "project_id": "acme", "zone": "global"}},
        "httpRequest": {key: value for key, value in request.items() if value is not None},
        "jsonPayload": {
            "@type": "type.googleapis.com/google.cloud.loadbalancing.type.LoadBalancerLogEntry",
            "statusDetails": details,
        },
        "trace": f"projects/acme/traces/{TRACE}", "spanId": SPAN,
    }  # fmt: skip


def served(status: int | None = 200, **more: Any) -> Row:
    """An entry of Cloud Run's: a request that took a minute."""
    entry = balanced(None, status=status, responseSize="4177", latency="61.5s", **more)
    labels = {"project_id": "acme", "service_name": "reply-run", "location": "europe-west4"}
    return entry | {
        "insertId": "run77", "logName": "projects/acme/logs/run.googleapis.com%2Frequests",
        "resource": {"type": "cloud_run_revision", "labels": labels}, "jsonPayload": None,
    }  # fmt: skip


def printed(line: Row, **more: Any) -> Row:
    """A line of the client log as standard output brings it: numbers of a Struct are floats."""
    numbers = {key: float(value) for key, value in line.items() if type(value) is int}
    return {
        "insertId": f"o-{line['call_id']}-{line['event']}", "logName": "projects/acme/logs/run.googleapis.com%2Fstdout",
        "timestamp": at(0), "resource": {"type": "cloud_run_revision", "labels": {"project_id": "acme"}},
        "jsonPayload": line | numbers, **more,
    }  # fmt: skip


def started(call_id: str, minute: float, **more: Any) -> Row:
    """The started line of a client log."""
    return {
        "event": "started", "call_id": call_id, "at": at(minute), "service": "chat", "provider": "gcp.vertex_ai",
        "account": "acme", "model": "acme-chat-1", "stream": True, "request_id": call_id, "input_tokens": 812, **more,
    }  # fmt: skip


def ended(call_id: str, minute: float, **more: Any) -> Row:
    """The ended line of a call that was interrupted before anything came."""
    return {
        "event": "ended", "call_id": call_id, "at": at(minute), "outcome": "aborted", "reason": "interrupt",
        "bytes_received": 0, "output_tokens_received": 0, **more,
    }  # fmt: skip


def calls(desk: Desk) -> list[Row]:
    """The client calls in the ledger."""
    return rows(desk.config, "client_call")


def refused_lines(desk: Desk) -> set[int]:
    """The numbers of the lines that are none."""
    places = [row["place"].rpartition(":") for row in rows(desk.config, "problem")]
    return {int(line_no) for file, _, line_no in places if file.endswith(".jsonl")}


def calls_of(directory: Path, source: Row, *entries: Row) -> list[Row]:
    """What the ledger has of these entries, one each, in their order."""
    desk = desk_of(directory, source)
    desk.put(source["path"].replace("*", "a"), *(one | {"insertId": f"i{no}"} for no, one in enumerate(entries)))
    desk.run(24 * 60)
    found = sorted(calls(desk), key=lambda call: int(call["line_no"]))
    assert len(found) == len(entries)
    return found


# http-load-balancer ----------------------------------------------------------------------------------------


def test_a_load_balancers_entry(tmp_path: Path) -> None:
    """Every field of an entry that a client left stands where the ledger wants it; a missing status is 0."""
    (call,) = calls_of(tmp_path, BALANCER, balanced())
    ended_us = T0_US + (8 * 60 + 30) * MINUTE_US + 21_000_000
    expected = {
        "source": "lb", "call_id": "i0", "event": "whole", "started_at_us": ended_us - 9_750_000,
        "ended_at_us": ended_us, "at_us": ended_us, "service": "reply-be", "provider": "gcp.vertex_ai",
        "account": "acme", "model": "acme-chat-1", "operation": "chat", "request_id": None, "trace_id": TRACE,
        "span_id": SPAN, "outcome": "aborted", "reason": "disconnect", "status_code": 0, "bytes_received": 0,
    }  # fmt: skip
    assert {key: call[key] for key in expected} == expected


HOW_CALLS_ENDED: list[tuple[str | None, str | None, Any, tuple[str, str | None]]] = [
    ("client_disconnected_before_any_response", None, None, ("aborted", "disconnect")),
    ("client_disconnected_after_partial_response", None, 200, ("aborted", "disconnect")),
    ("backend_timeout", None, 502, ("aborted", "timeout")),
    ("response_sent_by_backend", None, 200, ("delivered", None)),
    ("response_sent_by_backend", None, 499, ("failed", None)),
    ("response_sent_by_backend", None, 504, ("failed", None)),
    ("response_sent_by_backend", None, 429, ("failed", None)),
    ("backend_connection_closed_before_data_sent_to_client", None, 502, ("failed", None)),
    ("backend_connection_closed_after_partial_response_sent", None, 200, ("failed", None)),
    ("client_timed_out", None, None, ("failed", None)),
    (None, 'envoy; details="client_disconnected_before_any_response"', None, ("aborted", "disconnect")),
    (None, 'envoy; error="http_response_timeout"', 504, ("aborted", "timeout")),
    (None, 'details="response_sent_by_backend"', "200", ("delivered", None)),
    (None, None, 200, ("delivered", None)),
    (None, None, None, ("failed", None)),
]


def test_how_a_load_balancers_call_ended(tmp_path: Path) -> None:
    """What the entry says in words decides; the status alone makes no abort."""
    entries = [balanced(details, status=status) for details, _, status, _ in HOW_CALLS_ENDED]
    for entry, (_, proxy_status, _, _) in zip(entries, HOW_CALLS_ENDED, strict=True):
        entry["jsonPayload"]["proxyStatus"] = proxy_status
    found = [(call["outcome"], call["reason"]) for call in calls_of(tmp_path, BALANCER, *entries)]
    assert found == [ended for *_, ended in HOW_CALLS_ENDED]


def test_whose_service_it_is(tmp_path: Path) -> None:
    """A route's service comes before the config's, that before the label, and without any stands the source's name."""
    entry = balanced()
    regional = balanced() | {
        "resource": {"type": "http_external_regional_lb_rule", "labels": {"backend_target_name": "west"}}
    }
    bare = balanced() | {"resource": {"type": "internal_http_lb_rule"}}
    routed = BALANCER | {"service": "mine", "routes": [ROUTES[0] | {"service": "routed"}]}
    found = [
        *calls_of(tmp_path / "a", BALANCER, entry, regional, bare),
        *calls_of(tmp_path / "b", BALANCER | {"service": "mine"}, entry),
        *calls_of(tmp_path / "c", routed, entry),
    ]
    assert [call["service"] for call in found] == ["reply-be", "west", "lb", "mine", "routed"]


def test_timestamps_of_any_width(tmp_path: Path) -> None:
    """Zeros at the end may be left out of a timestamp, and nanoseconds are cut to microseconds."""
    texts = {
        "2026-11-20T00:00:07Z": 7_000_000, "2026-11-20T00:00:07.1Z": 7_100_000,
        "2026-11-20T00:00:07.120554Z": 7_120_554, "2026-11-20T00:00:07.120554999Z": 7_120_554,
        "2026-11-20T01:00:07+01:00": 7_000_000,
    }  # fmt: skip
    found = calls_of(tmp_path, BALANCER, *(balanced(latency="3s") | {"timestamp": text} for text in texts))
    assert [call["started_at_us"] - T0_US for call in found] == list(texts.values())
    assert {call["ended_at_us"] - call["started_at_us"] for call in found} == {3_000_000}


def test_every_request_line_has_one_fate(tmp_path: Path) -> None:
    """Records, problems and lines of no interest add up to all lines, and each is what it is."""
    desk = desk_of(tmp_path, BALANCER)
    lines: list[tuple[Any, str]] = [
        (balanced(responseSize="911", status=200), "new"),
        (balanced(responseSize=911.0, status=200.0) | {"insertId": "b"}, "new"),
        (balanced(latency="0s") | {"insertId": "c"}, "new"),
        (balanced() | {"insertId": "d", "trace": "", "spanId": None}, "new"),
        (balanced() | {"insertId": "e", "resource": {"type": "http_load_balancer"}}, "new"),
        (balanced(responseSize="911", status=200), "duplicate"),
        (balanced(requestMethod="GET"), "ignored"),
        (balanced(requestUrl="https://api.acme.example/healthz"), "ignored"),
        (balanced(requestUrl="https://[api/v2/reply"), "ignored"),
        (balanced(requestUrl=None), "ignored"),
        (served(), "ignored"),
        ({}, "ignored"),
        ("", "ignored"),
        ({"jsonPayload": "text", "resource": {"type": "http_load_balancer"}}, "ignored"),
        ("{", "problem"),
        ("[1]", "problem"),
        ("\x00", "problem"),
        (balanced() | {"httpRequest": "x"}, "ignored"),
        (balanced() | {"insertId": ""}, "problem"),
        (balanced() | {"insertId": None}, "problem"),
        (balanced() | {"timestamp": "yesterday"}, "problem"),
        (balanced() | {"timestamp": None}, "problem"),
        (balanced(latency=None), "problem"),
        (balanced(latency="-1s"), "problem"),
        (balanced(latency="long"), "problem"),
        (balanced(latency="1e400s"), "problem"),
        (balanced(status=-1), "problem"),
        (balanced(status="ok"), "problem"),
        (balanced(responseSize="1.5"), "problem"),
    ]
    desk.put(LB_FILE, *(line for line, _ in lines))
    desk.run(24 * 60)
    stored = {row["line_no"] for row in calls(desk)}
    refused = refused_lines(desk)
    wanted = [fate for _, fate in lines]
    assert stored == {number for number, fate in enumerate(wanted, 1) if fate == "new"}
    assert refused == {number for number, fate in enumerate(wanted, 1) if fate == "problem"}
    assert source_counts(desk.config, "lb") == {fate: wanted.count(fate) for fate in set(wanted)}


# cloud-run-requests ----------------------------------------------------------------------------------------


def test_how_cloud_runs_call_ended(tmp_path: Path) -> None:
    """499 is read as a client that left and 504 as Cloud Run's own limit: unconfirmed, and the docs say so."""
    found = calls_of(tmp_path, CLOUD_RUN, *(served(status) for status in (200, 499, 504, 500, None)))
    assert [(call["outcome"], call["reason"], call["status_code"]) for call in found] == [
        ("delivered", None, 200), ("aborted", "disconnect", 499), ("aborted", "timeout", 504), ("failed", None, 500),
        ("failed", None, 0),
    ]  # fmt: skip
    assert {(call["service"], call["bytes_received"]) for call in found} == {("reply-run", 4177)}
    assert {call["ended_at_us"] - call["started_at_us"] for call in found} == {61_500_000}


def test_cloud_runs_other_logs_are_no_requests(tmp_path: Path) -> None:
    """What a service itself prints with an httpRequest is no entry of Cloud Run's."""
    desk = desk_of(tmp_path, CLOUD_RUN)
    own = served() | {"logName": "projects/acme/logs/run.googleapis.com%2Fstdout"}
    desk.put(RUN_FILE, own, balanced(), served())
    desk.run(24 * 60)
    assert source_counts(desk.config, "run") == {"new": 1, "duplicate": 0, "problem": 0, "ignored": 2}


# client-log ------------------------------------------------------------------------------------------------


def test_client_log_on_standard_output(tmp_path: Path) -> None:
    """Lines in a jsonPayload, with the floats of a Struct, and in a textPayload are those of a client log file."""
    lines = [started("a", 0, max_output_tokens=64), ended("a", 1), started("b", 2), ended("b", 3, bytes_received=10**9)]
    plain = Desk(tmp_path / "plain", sources=[DESK_CONFIG["sources"][0]])
    plain.put("client/a.jsonl", *lines)
    entries = desk_of(tmp_path / "entries", STDOUT)
    entries.put(OUT_FILE, *(printed(line) for line in lines[:2]))
    for line in lines[2:]:
        text = {key: value for key, value in printed(line).items() if key != "jsonPayload"}
        entries.put(OUT_FILE, text | {"textPayload": json.dumps(line) + "\n"})
    for desk in (plain, entries):
        desk.run(100)
    apart = {"source", "file_id"}
    told = [[{key: row[key] for key in row if key not in apart} for row in calls(desk)] for desk in (plain, entries)]
    assert told[0] == told[1]
    assert len(told[0]) == 4


def test_every_printed_line_has_one_fate(tmp_path: Path) -> None:
    """Standard output is shared: what other programs print is of no interest, whatever it looks like."""
    desk = desk_of(tmp_path, STDOUT)
    text = {"insertId": "t", "timestamp": at(0)}
    lines: list[tuple[Any, str]] = [
        (printed(started("a", 0)), "new"),
        (printed(ended("a", 1)), "new"),
        (printed(ended("a", 1)), "duplicate"),
        (printed(ended("a", 1), insertId="again"), "duplicate"),
        (text | {"textPayload": "listening on 8080"}, "ignored"),
        (text | {"textPayload": '{"event": "started"}'}, "ignored"),
        (text | {"textPayload": '{"event": "star'}, "ignored"),
        (text | {"jsonPayload": {"event": "started", "message": "ready"}}, "ignored"),
        (text | {"jsonPayload": {"call_id": "z", "message": "ready"}}, "ignored"),
        (text | {"jsonPayload": {"call_id": "z", "event": "queued"}}, "ignored"),
        (text | {"jsonPayload": None}, "ignored"),
        (text | {"jsonPayload": "text"}, "ignored"),
        (text | {"protoPayload": {"@type": "x"}}, "ignored"),
        (started("bare", 0), "ignored"),
        ({}, "ignored"),
        ("", "ignored"),
        ("{", "problem"),
        ("null", "problem"),
        (text | {"textPayload": '{"event": "started", "call_id": "x"'}, "problem"),
        (printed(started("b", 0) | {"at": "later"}), "problem"),
        (printed(ended("b", 0) | {"outcome": "lost"}), "problem"),
        (printed(ended("b", 0) | {"bytes_received": 1.5}), "problem"),
    ]
    desk.put(OUT_FILE, *(line for line, _ in lines))
    desk.run(100)
    wanted = [fate for _, fate in lines]
    refused = refused_lines(desk)
    assert refused == {number for number, fate in enumerate(wanted, 1) if fate == "problem"}
    assert source_counts(desk.config, "out") == {fate: wanted.count(fate) for fate in set(wanted)}


# vertex-inference-metadata ---------------------------------------------------------------------------------


def described(**payload: Any) -> Row:
    """An entry of the log of inference requests as we guess it."""
    return {
        "insertId": "meta-1", "logName": "projects/acme/logs/aiplatform.googleapis.com%2Finference_requests",
        "timestamp": at(3),
        "resource": {"type": "aiplatform.googleapis.com/Endpoint", "labels": {"project_id": "acme"}},
        "labels": {"request_id": "r-1"},
        "jsonPayload": {
            "model": "publishers/google/models/gemini-3.5-flash", "inputTokenCount": "812", "cachedTokenCount": 512.0,
            "outputTokenCount": 240.0, "thoughtTokenCount": 9011.0, "latency": "170.5s", **payload,
        },
    }  # fmt: skip


def completions_of(directory: Path, source: Row, *entries: Row) -> list[Row]:
    """What the ledger has of these entries, one each, in their order."""
    desk = desk_of(directory, source)
    desk.put("meta/a.jsonl", *(entry | {"insertId": f"m{number}"} for number, entry in enumerate(entries)))
    desk.run(60)
    found = sorted(rows(desk.config, "backend_completion"), key=lambda row: int(row["line_no"]))
    assert len(found) == len(entries)
    return found


def test_an_entry_of_the_inference_log(tmp_path: Path) -> None:
    """The default map reads an entry with the names that we guess."""
    (found,) = completions_of(tmp_path, METADATA, described())
    expected = {
        "provider": "gcp.vertex_ai", "account": "acme", "completion_id": "m0", "request_id": "r-1",
        "model": "gemini-3.5-flash", "input_tokens": 300, "cached_input_tokens": 512, "output_tokens": 240,
        "thinking_tokens": 9011, "status": "ok", "finished_at_us": T0_US + 3 * MINUTE_US,
        "received_at_us": T0_US + 3 * MINUTE_US - 170_500_000,
    }  # fmt: skip
    assert {key: found[key] for key in expected} == expected


def test_every_guess_can_be_mended(tmp_path: Path) -> None:
    """A path under `fields` replaces the guess, and leaves the others."""
    fields = {"input_tokens": "jsonPayload.tokens_in", "model": "labels.model"}
    entry = described(tokens_in=1000, model=None)
    entry["labels"]["model"] = "acme-2"
    (found,) = completions_of(tmp_path, METADATA | {"fields": fields}, entry)
    assert (found["model"], found["input_tokens"], found["output_tokens"]) == ("acme-2", 488, 240)


def test_error_codes_and_traffic_types(tmp_path: Path) -> None:
    """google.rpc's and HTTP's codes say how a completion ended, and the traffic type what it was charged as."""
    codes = {
        None: "ok", "": "ok", 0.0: "ok", 200: "ok", "OK": "ok", 1: "cancelled", 499.0: "cancelled",
        "CANCELLED": "cancelled", 4: "error", 429: "error", "INTERNAL": "error",
    }  # fmt: skip
    traffic = {
        None: None, "ON_DEMAND": None, "PROVISIONED_THROUGHPUT": "provisioned", "ON_DEMAND_PRIORITY": "priority",
        "ON_DEMAND_FLEX": "flex", "else": "else",
    }  # fmt: skip
    entries = [described(errorCode=code) for code in codes] + [described(trafficType=kind) for kind in traffic]
    found = completions_of(tmp_path, METADATA, *entries)
    assert [row["status"] for row in found[: len(codes)]] == list(codes.values())
    assert [row["price_class"] for row in found[len(codes) :]] == list(traffic.values())


# vertex-audit ----------------------------------------------------------------------------------------------


def audited(method: str, model: str = "gemini-3.5-flash", **more: Any) -> Row:
    """An entry of a Data Access audit log."""
    return {
        "insertId": f"{method}-{model}", "logName": "projects/acme/logs/cloudaudit.googleapis.com%2Fdata_access",
        "timestamp": at(0), "resource": {"type": "audited_resource", "labels": {"project_id": "acme"}},
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": "aiplatform.googleapis.com",
            "methodName": f"google.cloud.aiplatform.v1beta1.PredictionService.{method}", "status": {},
            "resourceName": f"projects/acme/locations/global/publishers/google/models/{model}",
        },
        **more,
    }  # fmt: skip


def test_audit_entries_become_no_records(tmp_path: Path) -> None:
    """A log without tokens, ends and ids makes neither calls nor completions; `check` says what it shows."""
    desk = desk_of(tmp_path, AUDIT)
    entries = [
        audited("GenerateContent"), audited("GenerateContent"), audited("StreamGenerateContent"),
        audited("Predict", "acme-draw"), audited("CountTokens"), audited("GenerateContent", protoPayload=None),
        audited("PredictLongRunning", operation={"id": "o", "first": True}),
        audited("PredictLongRunning", operation={"id": "o", "last": True}),
    ]  # fmt: skip
    desk.put("audit/a.jsonl", *entries, {}, "no entry")
    desk.run(60)
    assert (calls(desk), rows(desk.config, "backend_completion"), verdicts(desk.config)) == ([], [], [])
    assert source_counts(desk.config, "audit") == {"new": 0, "duplicate": 0, "problem": 1, "ignored": 9}
    (told,) = [finding.message for finding in said(desk) if "inference calls" in finding.message]
    assert told == (
        "5 inference calls among them: acme-draw Predict 1, gemini-3.5-flash GenerateContent 2, gemini-3.5-flash "
        "PredictLongRunning 1, gemini-3.5-flash StreamGenerateContent 1. None is stored: a run needs tokens and ends"
    )


def said(desk: Desk) -> list[Finding]:
    """What `orphaned check` says of the desk."""
    return list(findings(desk.config, now_us=T0_US + HOUR_US))


def test_check_names_the_role_that_audit_logs_need(tmp_path: Path) -> None:
    """Where no call is among the audit entries, `check` says which role shows them."""
    desk = desk_of(tmp_path, AUDIT)
    desk.put("audit/a.jsonl", {})
    assert any(one.level == "warning" and "roles/logging.privateLogViewer" in one.message for one in said(desk))


def test_check_says_what_is_a_guess(tmp_path: Path) -> None:
    """`check` names the fields of the inference log whose names nobody confirmed, until the file names them all."""
    desk = desk_of(tmp_path / "a", METADATA)
    desk.put("meta/a.jsonl", described())
    (warning,) = [one for one in said(desk) if "our guess" in one.message]
    assert (warning.level, warning.place) == ("warning", "source meta")
    assert "model, " in warning.message
    named = (
        "request_id trace_id span_id response_id model stream status error_code latency first_byte_at input_tokens "
        "cached_input_tokens output_tokens thinking_tokens images price_class"
    )
    sure = desk_of(tmp_path / "b", METADATA | {"fields": dict.fromkeys(named.split(), "jsonPayload.x")})
    assert not [one for one in said(sure) if "our guess" in one.message]


def test_the_documented_configs_load() -> None:
    """Every YAML that docs/cloud-logging.md shows is a config as it stands, and every preset has a part of its own."""
    text = (Path(__file__).parent.parent / "docs" / "cloud-logging.md").read_text(encoding="utf-8")
    found = [parse(block, Path("orphaned.yaml")) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    assert [len(config.sources) for config in found] == [1, 4]
    assert set(re.findall(r"^### `(.+)`$", text, re.MULTILINE)) == set(PRESETS["cloud-logging"]) == set(FILTERS)


# The whole pipeline ----------------------------------------------------------------------------------------


def fill(desk: Desk) -> None:
    """Two calls that were left: one seen by the balancer and by its own log, one by the balancer alone; and a good one.

    Each completion costs 0.0006 for its input and 0.01 for its output by the bill, twice what the price book says.
    """
    ids = {"trace_id": TRACE, "span_id": SPAN}
    desk.put(OUT_FILE, printed(started("c1", 0, **ids)), printed(ended("c1", 1)))
    desk.completion("c1", 2, seconds=120, **ids)
    desk.completion("c2", 7, seconds=120, trace_id=OTHER_TRACE, span_id=OTHER_SPAN)
    desk.completion("c3", 9, seconds=60)
    desk.bill("Input", 0, 3000, "0.0018")
    desk.bill("Output", 0, 6000, "0.03")


def passed() -> list[Row]:
    """What the balancer saw of them."""
    partial = balanced("client_disconnected_after_partial_response", status=200, responseSize="911", latency="60.05s")
    other = {"trace": f"projects/acme/traces/{OTHER_TRACE}", "spanId": OTHER_SPAN}
    good = balanced("response_sent_by_backend", status=200, responseSize="8123", latency="60s")
    entries = [
        partial | {"insertId": "lb1", "timestamp": at(0)},
        balanced() | {"insertId": "lb2", "timestamp": at(5)} | other,
        good | {"insertId": "lb3", "timestamp": at(8), "trace": "projects/acme/traces/" + "8" * 32},
    ]
    return [entry | {"receiveTimestamp": at(minute)} for entry, minute in zip(entries, (1.1, 5.2, 9.1), strict=True)]


def _is_right(desk: Desk) -> None:
    """The money of the first call stands on its client's row, that of the second on the balancer's."""
    found = {(row["observer"], row["call_id"]): row for row in verdicts(desk.config)}
    assert set(found) == {("lb", "lb1"), ("lb", "lb2"), ("out", "c1")}
    assert {row["verdict"] for row in found.values()} == {"orphaned"}
    assert {row["evidence"] for row in found.values()} == {"exact"}
    assert {row["basis"] for row in found.values()} == {"billed"}
    assert {key: (row["completion_id"], row["orphaned_nano"]) for key, row in found.items()} == {
        ("out", "c1"): ("cmpl-c1", 10_600_000),
        ("lb", "lb1"): ("cmpl-c1", 0),
        ("lb", "lb2"): ("cmpl-c2", 10_600_000),
    }
    assert found["lb", "lb1"]["reason"] == "disconnect"
    assert found["out", "c1"]["reason"] == "interrupt"


def test_a_world_from_files(tmp_path: Path) -> None:
    """A load balancer's 200 and the client's own log on standard output are one abort, with the bill's money."""
    desk = desk_of(tmp_path, STDOUT, BALANCER, BACKEND, BILL)
    fill(desk)
    desk.put(LB_FILE, *passed())
    desk.run(5 * 24 * 60)
    _is_right(desk)


@pytest.fixture
def store() -> Iterator[Store]:
    """What the server knows; calls are tried again without waiting."""
    with stamina.set_testing(True, attempts=6, cap=True):
        yield Store()


def test_a_world_with_a_live_balancer(store: Store, tmp_path: Path) -> None:
    """Read live, through a refusal and in two runs, the balancer's entries give the same."""
    with http_server(store) as address:
        live = {key: value for key, value in BALANCER.items() if key != "path"} | {
            "kind": "cloud-logging", "projects": ["acme"], "endpoint": address, "since": "30d",
            "filter": 'resource.labels.url_map_name="reply" -- ours',
        }  # fmt: skip
        desk = desk_of(tmp_path, STDOUT, live, BACKEND, BILL)
        fill(desk)
        first, *rest = passed()
        store.put("acme", first)
        store.faults = [429]
        desk.run(3)
        store.put("acme", *rest)
        desk.run(5 * 24 * 60)
    _is_right(desk)
    assert source_counts(desk.config, "lb") == {"new": 3, "duplicate": 0, "problem": 0, "ignored": 0}
    assert store.asked[0]["filter"].partition(" AND (\n")[2] == (
        '(resource.type=("http_load_balancer" OR "http_external_regional_lb_rule" OR "internal_http_lb_rule") AND '
        'httpRequest.requestMethod=("POST" OR "PUT")) AND (\nresource.labels.url_map_name="reply" -- ours\n)\n)'
    )


@pytest.mark.parametrize(
    ("preset", "part"),
    [
        ("client-log", 'jsonPayload.event=("started" OR "ended" OR "job_wait_started"'),
        ("jobs", "operation.id:*"),
        ("cloud-run-requests", 'log_id("run.googleapis.com/requests")'),
        ("vertex-audit", 'log_id("cloudaudit.googleapis.com/data_access")'),
        ("vertex-inference-metadata", 'logName:"aiplatform.googleapis.com"'),
    ],
)
def test_only_its_own_entries_are_asked_for(store: Store, tmp_path: Path, preset: str, part: str) -> None:
    """Without a filter of the user's, a preset asks for what it can read."""
    with http_server(store) as address:
        source = {"name": "s", "kind": "cloud-logging", "preset": preset, "projects": ["acme"], "endpoint": address}
        desk = desk_of(tmp_path, source)
        desk.run(60)
    (asked,) = store.asked
    assert part in asked["filter"]
