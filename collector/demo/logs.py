"""What the clients, the proxies and the backend of the demo wrote down: calls come in, lines of JSON go out.

A killed client leaves its start and perhaps half a line; a proxy tells what it saw, which is not always that
somebody left; the backend's log has lost a few entries and delivers others twice.
"""

import json
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

from collector.demo.cast import ACCOUNT, DOUBLED_SHARE, HALF_LINE_SHARE, PROVIDER, SECOND_US
from collector.demo.traffic import Call
from collector.records import instant_text

Line = tuple[int, str]  # when it was written, and what
CHUNK_BYTES = 210  # of a streamed piece, with its frame of JSON
HEAD_BYTES = 310
PATH = f"/v1/projects/{ACCOUNT}/locations/us-central1/publishers/google/models/"


def client_lines(calls: Iterable[Call], rng: Random) -> dict[str, list[Line]]:
    """The client log of every service that writes one."""
    written: dict[str, list[Line]] = {}
    for call in calls:
        if call.service.logs:
            written.setdefault(call.service.name, []).extend(_client(call, rng))
    return {name: sorted(lines) for name, lines in written.items()}


def _client(call: Call, rng: Random) -> Iterator[Line]:
    yield call.started_us, _dumped({
        "event": "started", "call_id": call.call_id, "at": instant_text(call.started_us),
        "service": call.service.name, "provider": PROVIDER, "account": ACCOUNT,
        "model": call.service.model.name, "operation": "generate_content", "stream": call.service.stream,
        "request_id": call.request_id, "retry_of": call.retry_of, "process": call.process,
        "input_tokens": call.context,
    })  # fmt: skip
    ended = _dumped(_ended(call))
    if call.reason != "vanished":
        yield _seen_until_us(call), ended
    elif rng.random() < HALF_LINE_SHARE and call.left_us is not None:
        yield call.left_us, ended[: rng.randrange(20, 60)]  # it was just writing


def _seen_until_us(call: Call) -> int:
    return call.arrived_us if call.left_us is None else call.left_us


def _ended(call: Call) -> dict[str, Any]:
    outcome = "aborted" if call.reason else "delivered"
    if call.reason == "error" or (call.status == "error" and call.reason is None):
        outcome = "failed"
    whole = outcome == "delivered"
    return {
        "event": "ended", "call_id": call.call_id, "at": instant_text(_seen_until_us(call)),
        "outcome": outcome,
        "reason": call.reason if outcome == "aborted" else None,
        "status_code": _status_code(call), "bytes_received": _bytes(call),
        "output_tokens_received": call.delivered_tokens,
        "response_id": f"r-{call.completion_id}" if whole or call.delivered_tokens else None,
    }  # fmt: skip


def _status_code(call: Call) -> int | None:
    if call.status == "error" and call.reason is None:
        return 503
    return 200 if call.delivered_tokens or call.reason is None else None


def _bytes(call: Call) -> int:
    """What a client had received: nothing, or pieces with their frames."""
    if not call.delivered_tokens:
        return 0
    pieces = -(-call.delivered_tokens // 6) if call.service.stream else 1
    return HEAD_BYTES + pieces * CHUNK_BYTES + 4 * call.delivered_tokens


def proxy_lines(calls: Iterable[Call], start_us: int, end_us: int) -> dict[str, list[Line]]:
    """The access log of each nginx: calls, and the health checks between them."""
    written: dict[str, list[Line]] = {}
    for call in calls:
        if call.service.proxy:
            written.setdefault(call.service.proxy, []).append(_proxied(call))
    for lines in written.values():
        lines.extend(_health(at_us) for at_us in range(start_us, end_us, 300 * SECOND_US))
        lines.sort()
    return written


def _proxied(call: Call) -> Line:
    """The gateway ignores clients that leave (`proxy_ignore_client_abort on`): its answers are whole."""
    gone = call.reason is not None and call.service.proxy == "edge"
    ended_us = _seen_until_us(call) if gone else max(call.arrived_us, call.started_us + 1_000)
    silent = gone and not call.delivered_tokens
    sent = 0 if silent else _bytes(call) if gone else HEAD_BYTES + 4 * call.output
    status = "499" if silent else "503" if call.status == "error" else "200"
    streaming = "streamGenerateContent?alt=sse" if call.service.stream else "generateContent"
    return ended_us, _dumped({
        "msec": _seconds(ended_us), "request_id": call.proxy_id, "request_method": "POST",
        "request_uri": f"{PATH}{call.service.model.name}:{streaming}", "status": status,
        "request_time": _seconds(ended_us - call.started_us), "bytes_sent": str(sent),
        "request_completion": "" if gone else "OK", "upstream_status": "-" if silent else status,
        "upstream_header_time": "-" if silent else _seconds(_header_us(call)),
        "upstream_response_time": _seconds(ended_us - call.started_us), "upstream_bytes_received": str(sent),
        "http_traceparent": "", "http_x_request_id": call.request_id if call.service.logs else "",
        "service": call.service.name,
    })  # fmt: skip


def _header_us(call: Call) -> int:
    """How long the proxy waited for the first byte: that of the stream, or that of the whole answer."""
    first_us = call.first_us if call.service.stream and call.status != "error" else call.finished_us
    return first_us - call.started_us + (call.received_us - call.started_us)


def _health(at_us: int) -> Line:
    return at_us, _dumped({
        "msec": _seconds(at_us), "request_id": f"{at_us:032x}", "request_method": "GET",
        "request_uri": "/healthz",
        "status": "200", "request_time": "0.000", "bytes_sent": "162", "request_completion": "OK",
        "upstream_status": "-", "upstream_header_time": "-", "upstream_response_time": "-",
        "upstream_bytes_received": "-",
    })  # fmt: skip


def backend_lines(calls: Iterable[Call], rng: Random) -> list[Line]:
    """The completion log, as entries of Cloud Logging."""
    lines = []
    for call in calls:
        if not call.logged:
            continue
        entry = _dumped(_entry(call))
        lines.append((call.finished_us + SECOND_US, entry))
        if rng.random() < DOUBLED_SHARE:
            lines.append((call.finished_us + 30 * SECOND_US, entry))
    return sorted(lines)


def _entry(call: Call) -> dict[str, Any]:
    return {
        "insertId": call.completion_id, "logName": f"projects/{ACCOUNT}/logs/inference",
        "timestamp": instant_text(call.finished_us),
        "receiveTimestamp": instant_text(call.finished_us + SECOND_US), "severity": "INFO",
        "resource": {"type": "generic_task", "labels": {"project_id": ACCOUNT}},
        "httpRequest": {"requestMethod": "POST", "latency": f"{_fine(call.finished_us - call.received_us)}s"},
        "jsonPayload": {
            "request_id": call.proxy_id if call.service.proxy else call.request_id,
            "response_id": f"r-{call.completion_id}", "model": call.service.model.name,
            "stream": call.service.stream, "status": call.status,
            "usage": {
                "input_tokens": call.context, "cached_input_tokens": call.cached,
                "output_tokens": call.output, "thinking_tokens": call.thinking,
            },
        },
    }  # fmt: skip


def _seconds(micro: int) -> str:
    """To the millisecond, as nginx writes it."""
    milli = micro // 1_000
    return f"{milli // 1_000}.{milli % 1_000:03d}"


def _fine(micro: int) -> str:
    return f"{micro // SECOND_US}.{micro % SECOND_US:06d}"


def _dumped(record: dict[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":"))
