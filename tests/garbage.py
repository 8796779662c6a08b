"""Lines that are bad in every way that a log or a bill can be, each with the fate that it must have.

Numbers of calls go in, records and lines come out; `cases` is the whole collection for one source.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Any

from tests.helpers import T0_US, Row, at

FILES = {
    "app": "client/a.jsonl", "edge": "nginx/a.json", "backend": "backend/a.jsonl", "bill": "billing/a.jsonl",
}  # fmt: skip
NEW, PROBLEM, IGNORED = "new", "problem", "ignored"
HUGE = 10**30
DEEP = 100_000
Case = tuple[bytes, str]


def started(number: int, **more: Any) -> Row:
    """A started line of a call of its own."""
    return {
        "event": "started", "call_id": f"g{number}", "at": at(1), "service": "chat",
        "provider": "gcp.vertex_ai",
        "account": "other", "model": "acme-chat-1", "stream": True, "request_id": f"g{number}", **more,
    }  # fmt: skip


def ended(number: int, **more: Any) -> Row:
    """An ended line of a call of its own."""
    return {
        "event": "ended",
        "call_id": f"g{number}",
        "at": at(2),
        "outcome": "aborted",
        "reason": "timeout",
        **more,
    }


def proxied(number: int, **more: Any) -> Row:
    """A line of nginx about a call that its client left."""
    return {
        "msec": f"{T0_US / 1e6 + 60:.3f}", "request_id": f"g{number}", "request_method": "POST",
        "request_uri": "/v1/models/acme-chat-1:generateContent", "status": "499", "request_time": "9.000",
        "bytes_sent": "0", "request_completion": "", "upstream_header_time": "-",
        "upstream_bytes_received": "0", **more,
    }  # fmt: skip


def completion(number: int, usage: Mapping[str, Any] | None = None, **more: Any) -> Row:
    """An entry of the backend; `more` goes into its payload."""
    tokens = {"input_tokens": 10, "output_tokens": 20, **(usage or {})}
    return {
        "insertId": f"g{number}", "logName": "log", "timestamp": at(3), "httpRequest": {"latency": "9.5s"},
        "jsonPayload": {
            "completion_id": f"g{number}", "request_id": f"g{number}", "model": "acme-chat-1", "stream": True,
            "status": "ok", "usage": tokens, **more,
        },
        "resource": {"labels": {"project_id": "other"}},
    }  # fmt: skip


def billed(number: int, **more: Any) -> Row:
    """A row of the bill."""
    return {
        "service": {"description": "Vertex AI"}, "sku": {"description": "Acme acme-chat-1 Output Tokens"},
        "project": {"id": "other"}, "usage_start_time": at(0), "usage_end_time": at(60),
        "export_time": at(90),
        "cost": "0.1", "currency": "USD", "usage": {"amount": 1000 + number, "unit": "count"},
        "credits": [], **more,
    }  # fmt: skip


MAKERS: dict[str, Callable[..., Row]] = {
    "app": started, "edge": proxied, "backend": completion, "bill": billed,
}  # fmt: skip
COUNTS: list[tuple[Any, str]] = [
    (-1, PROBLEM), (1.5, PROBLEM), (HUGE, PROBLEM), (2**63, PROBLEM), (-(2**63), PROBLEM), (True, PROBLEM),
    ([1], PROBLEM), ({"a": 1}, PROBLEM), ("plenty", PROBLEM), ("1e400", PROBLEM), (float("nan"), PROBLEM),
    (float("inf"), PROBLEM), ("NaN", PROBLEM), (0, NEW), (12.0, NEW), ("12", NEW), (None, NEW),
]  # fmt: skip
TIMES: list[Any] = [
    "2026-13-45T99:00:00Z", "yesterday", "", "1999-12-31T23:59:59Z", "2101-01-01T00:00:00Z", 12345, None, [],
    "infinity", "epoch", "2026-11-20T25:00:00Z", "-5000-01-01T00:00:00Z", "99999999999-01-01T00:00:00Z",
]  # fmt: skip


def plain(source: str) -> list[Case]:
    """What is no record in any log."""
    good = json.dumps(MAKERS[source](0)).encode()
    return [
        (b'{"a', PROBLEM), (good[: len(good) // 2], PROBLEM), (good[:-1], PROBLEM), (good + good, PROBLEM),
        (b"\x00\xff\xfe\x80", PROBLEM), (b"\x00", PROBLEM), (b"\xed\xa0\x80", PROBLEM), (b"null", PROBLEM),
        (b"true", PROBLEM), (b'"a text"', PROBLEM), (b"42", PROBLEM), (b"[1,2]", PROBLEM),
        (b"[" + good + b"]", PROBLEM),
        (b"", IGNORED), (b"  \t ", IGNORED), (b"\r", IGNORED), (b"{}", IGNORED), (b'{"other": 1}', IGNORED),
        (b"[" * DEEP, PROBLEM), (b'{"a":' * DEEP, PROBLEM), (b"x" * 20_000_000, PROBLEM), (b"NaN", PROBLEM),
        (b"1e400", PROBLEM), (b"\xef\xbb\xbf", PROBLEM), (b"// no comments", PROBLEM),
    ]  # fmt: skip


Fated = tuple[Row, str]
_NUMBERS = count(1000)


def _each(source: str, key: str, values: Iterable[Any], fate: str) -> list[Fated]:
    """A record for each value of one key, all of the same fate."""
    return [(MAKERS[source](next(_NUMBERS), **{key: value}), fate) for value in values]


def _counts(make: Callable[[int, str, Any], Row], keys: Iterable[str]) -> list[Fated]:
    """A record for each key and each value that a count may be given."""
    return [(make(next(_NUMBERS), key, value), fate) for key in keys for value, fate in COUNTS]


def _ends(key: str, values: Iterable[Any], fate: str) -> list[Fated]:
    """The same as `_each` for ended lines."""
    return [(ended(next(_NUMBERS), **{key: value}), fate) for value in values]


def _app() -> list[Fated]:
    starts = ("input_tokens", "max_output_tokens", "request_bytes")
    ends = ("bytes_received", "output_tokens_received", "status_code")
    return [
        *_counts(lambda number, key, value: started(number, **{key: value}), starts),
        *_counts(lambda number, key, value: ended(number, **{key: value}), ends),
        *_each("app", "at", TIMES, PROBLEM),
        *_each("app", "at", ["2026-11-20T01:00:00+01:00"], NEW),
        *_each("app", "stream", ["perhaps", 1, [], {}], PROBLEM),
        *_each("app", "call_id", ["", None, {}, []], PROBLEM),
        *_each("app", "model", [{}], PROBLEM),
        *_each("app", "more", [{"a": [1]}], NEW),
        *_ends("outcome", ["lost", None, 1, ["aborted"]], PROBLEM),
        *_ends("reason", ["boredom", 7, {}], PROBLEM),
        *_ends("reason", [None], NEW),
    ]


def _edge() -> list[Fated]:
    known = [(value, fate) for value, fate in COUNTS if value is not None]
    return [
        *((proxied(next(_NUMBERS), status=value), fate) for value, fate in known),
        *((proxied(next(_NUMBERS), bytes_sent=value), fate) for value, fate in known),
        *_each("edge", "msec", ["", "-", "x", "-1", "1e400", "NaN", 17, HUGE, []], PROBLEM),
        *_each("edge", "request_time", ["", "-", "x", "-1", "NaN", HUGE, {}], PROBLEM),
        *_each("edge", "bytes_sent", ["", "-", None], NEW),
        *_each("edge", "request_id", ["", "-", None], PROBLEM),
        *_each("edge", "request_uri", ["/", "/healthz", "*", ""], IGNORED),
        *_each("edge", "request_method", ["GET"], IGNORED),
        *_each("edge", "http_traceparent", ["00-x-y-z", "0" * 55, "-", ""], NEW),
    ]


def _backend() -> list[Fated]:
    tokens = ("input_tokens", "output_tokens")
    latencies = ("soon", "-1s", "NaNs", "", "31536000s", HUGE, [1])
    return [
        *_counts(lambda number, key, value: completion(number, {key: value}), tokens),
        (completion(next(_NUMBERS), {"cached_input_tokens": 11}), PROBLEM),
        (completion(next(_NUMBERS), {"cached_input_tokens": 10}), NEW),
        (completion(next(_NUMBERS), {"images": -1}), PROBLEM),
        *((completion(next(_NUMBERS)) | {"timestamp": time}, PROBLEM) for time in TIMES),
        *((completion(next(_NUMBERS)) | {"httpRequest": {"latency": v}}, PROBLEM) for v in latencies),
        (completion(next(_NUMBERS)) | {"httpRequest": None}, NEW),
        (completion(next(_NUMBERS), stream="perhaps"), PROBLEM),
        (completion(next(_NUMBERS), model=""), PROBLEM),
        (completion(next(_NUMBERS), completion_id=""), PROBLEM),
        (completion(next(_NUMBERS), status="exploded"), NEW),
        ({"insertId": "x", "timestamp": at(1), "textPayload": "hello"}, IGNORED),
        ({"jsonPayload": "hello"}, IGNORED),
    ]


def _bill() -> list[Fated]:
    costs: list[Any] = [
        "",
        "x",
        None,
        [],
        {},
        "NaN",
        "Infinity",
        "1e400",
        HUGE,
        "10000000000",
        "-10000000000",
        True,
    ]
    units = {"unit": "count"}
    amounts: list[Any] = ["x", "NaN", HUGE, []]
    return [
        *_each("bill", "cost", costs, PROBLEM),
        *_each("bill", "cost", [0, -1, "-0.5", 1e-12, "0.123456789012345678", 12], NEW),
        *_each("bill", "currency", [None, "", "DOLLAR", "$"], PROBLEM),
        *_each("bill", "usage_start_time", TIMES, PROBLEM),
        *_each("bill", "usage_end_time", [*TIMES, at(0), at(-60)], PROBLEM),
        *_each("bill", "export_time", ["yesterday", 12345, "infinity"], PROBLEM),
        *_each("bill", "credits", [[{"amount": "x"}], [{"amount": "NaN"}], [{}]], PROBLEM),
        *_each("bill", "credits", [None, [], [{"amount": -0.01}], [{"amount": "-0.01"}]], NEW),
        *_each("bill", "usage", [units | {"amount": value} for value in amounts], PROBLEM),
        *_each("bill", "usage", [None, {}, {"amount": 0}, units | {"amount": -5}], NEW),
        *_each("bill", "service", [None], NEW),
        *_each("bill", "project", [None], NEW),
        *_each("bill", "sku", [None], NEW),
    ]


def cases(source: str) -> list[Case]:
    """Every bad, odd and irrelevant line for that source, with its fate."""
    made = {"app": _app, "edge": _edge, "backend": _backend, "bill": _bill}[source]()
    return [*plain(source), *((json.dumps(record).encode(), fate) for record, fate in made)]
