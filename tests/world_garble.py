"""Bad lines, and good lines that are none of our business, made out of a good line of the same log.

A line's text comes in, bytes and what a reader must make of them go out: `problem` or `ignored`. Every bad
line is bad beyond dispute: no rule of the contract lets a reader take it for a record.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Any, Literal

from tests.world_spec import APP, BACKEND, BILL, EDGE

Outcome = Literal["record", "duplicate", "problem", "ignored"]
Record = dict[str, Any]

IMPOSSIBLE = "2026-13-45T99:00:00Z"
NOT_A_NUMBER = float("nan")
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
NO_OBJECTS = ('"a lone text"', "42", "[1,2,3]")


def dumped(record: Record) -> str:
    """One line of JSON, without its newline."""
    return _ENCODE(record)


def stump(rng: Random, text: str) -> bytes:
    """A line that broke off in the middle of being written."""
    return text[: rng.randrange(1, len(text) - 1)].encode()


def garbled(rng: Random, source: str, text: str) -> tuple[bytes, Outcome]:
    """A line to follow the good line `text` of that source."""
    make = rng.choice(_BAD)
    if make is None:
        return _irrelevant(rng, source), "ignored"
    return make(rng, source, text), "problem"


def _stump(rng: Random, source: str, text: str) -> bytes:
    return stump(rng, text)


def _binary(rng: Random, source: str, text: str) -> bytes:
    noise = bytes(rng.randrange(256) for _ in range(40)).replace(b"\n", b"\0").replace(b"\r", b"\0")
    return b"\x00\xff\xfe" + noise


def _no_object(rng: Random, source: str, text: str) -> bytes:
    return rng.choice(NO_OBJECTS).encode()


def _with(source: str, text: str, value: Any) -> bytes:
    """The line with `value` where a number belongs."""
    record: Record = json.loads(text)
    if source == APP:
        record["bytes_received" if record["event"] == "ended" else "input_tokens"] = value
    elif source == EDGE:
        record["request_time"] = value
    elif source == BILL:
        record["cost"] = value
    else:
        record["jsonPayload"]["usage"]["output_tokens"] = value
    return dumped(record).encode()


def _wrong_type(rng: Random, source: str, text: str) -> bytes:
    return _with(source, text, rng.choice(("plenty", ["a", "list"], {"an": "object"})))


def _nan(rng: Random, source: str, text: str) -> bytes:
    return _with(source, text, NOT_A_NUMBER)


def _negative(rng: Random, source: str, text: str) -> bytes:
    # A bill may be negative, so there the number is merely too large to be one.
    return _with(source, text, "1e400" if source == BILL else -rng.randrange(1, 5000))


def _impossible_time(rng: Random, source: str, text: str) -> bytes:
    record: Record = json.loads(text)
    record[{APP: "at", EDGE: "msec", BACKEND: "timestamp", BILL: "usage_start_time"}[source]] = IMPOSSIBLE
    return dumped(record).encode()


def _conflict(rng: Random, source: str, text: str) -> bytes:
    """The same key with other content; bills have no key, so there a row without its currency."""
    record: Record = json.loads(text)
    if source == APP:
        record["service" if record["event"] == "started" else "outcome"] = "failed"
        record["reason"] = "changed"
    elif source == EDGE:
        record["status"] = "418"
    elif source == BACKEND:
        record["jsonPayload"]["usage"]["output_tokens"] += 1000
    else:
        del record["currency"]
    return dumped(record).encode()


def _irrelevant(rng: Random, source: str) -> bytes:
    """A valid line that is no inference call, no completion; for the logs that are only ours, a blank one."""
    if source == EDGE and rng.random() < 0.7:
        return dumped({
            "msec": "1795364185.613", "request_id": f"{rng.getrandbits(128):032x}", "request_method": "GET",
            "request_uri": rng.choice(("/healthz", "/static/app.js", "/")), "status": "200",
            "request_time": "0.001", "bytes_sent": "311", "request_completion": "OK", "upstream_status": "-",
            "upstream_header_time": "-", "upstream_response_time": "-", "upstream_bytes_received": "-",
        }).encode()  # fmt: skip
    if source == BACKEND and rng.random() < 0.7:
        return dumped({
            "insertId": f"{rng.getrandbits(48):012x}", "logName": "projects/acme-prod/logs/syslog",
            "timestamp": "2026-11-20T00:00:01.5Z", "severity": "NOTICE", "textPayload": "a machine restarted",
            "resource": {"type": "gce_instance", "labels": {"project_id": "acme-prod"}},
        }).encode()  # fmt: skip
    return rng.choice((b"", b"   ", b"\t"))


_BAD: tuple[Callable[[Random, str, str], bytes] | None, ...] = (
    _stump, _binary, _no_object, _wrong_type, _nan, _negative, _impossible_time, _conflict, None, None,
)  # fmt: skip
