"""Writes a simulated world down: every line of every log and bill file, when it arrives, what it must yield.

Calls, work and bill rows come in; lines go out, sorted by arrival. Files are written by `world.World.write`.
"""

from collections.abc import Iterable
from random import Random
from typing import NamedTuple

from tests.world_bill import PICO_PER_NANO, BillRow
from tests.world_calls import Call, ClientView, ProxyView, Work
from tests.world_garble import Outcome, Record, dumped, garbled, stump
from tests.world_jobs import Job
from tests.world_jobs import write as write_jobs
from tests.world_spec import (
    APP,
    BACKEND,
    BILL,
    EDGE,
    HOUR_US,
    JOBS,
    PROVIDER,
    SECOND_US,
    WorldSpec,
    instant_text,
    short_instant_text,
)  # fmt: skip

LATE_US = 600 * SECOND_US  # after everything else
PATHS = {
    APP: "client/{}.jsonl", EDGE: "nginx/{}.json", BACKEND: "backend/{}.jsonl", BILL: "billing/{}.jsonl",
    JOBS: "jobs/{}.jsonl",
}  # fmt: skip


class Line(NamedTuple):
    """One line of one file, without its newline. `arrives_us` is when it was appended, by the true clock."""

    arrives_us: int
    order: int
    source: str
    file: str
    data: bytes
    outcome: Outcome


class Scribe:
    """Collects lines, and lets happen to them what the spec says happens to lines."""

    def __init__(self, spec: WorldSpec, rng: Random, end_us: int) -> None:
        self.spec = spec
        self.rng = rng
        self.late_us = end_us + LATE_US
        self.lines: list[Line] = []

    def add(
        self, source: str, name: str, at_us: int, record: Record, *, recorded: bool = True, garbles: bool = True
    ) -> None:
        """One record of a log: written, or lost (perhaps its stump is there); doubled, late, garbled."""
        spec, rng, text = self.spec, self.rng, dumped(record)
        if not recorded:
            if spec.garbled_share and rng.random() < 0.5:
                self._put(source, name, at_us, stump(rng, text), "problem")
            return
        late = rng.random() < spec.late_share
        if late:
            name, at_us = "late", self.late_us + at_us % SECOND_US
        self._put(source, name, at_us, text.encode(), "record")
        if rng.random() < spec.doubled_share:
            self._put(source, name, at_us + rng.randrange(60 * SECOND_US), text.encode(), "duplicate")
        if garbles and rng.random() < spec.garbled_share:
            self._put(source, name, at_us, *garbled(rng, source, text))

    def bill(self, rows: Iterable[BillRow]) -> None:
        """Bill files, one an export; the first of them once more where lines are doubled."""
        first_us = min((row.export_us for row in rows), default=0)
        for row in rows:
            name = f"export-{instant_text(row.export_us)[:13]}"
            text = _bill_text(row)
            self._put(BILL, name, row.export_us, text.encode(), "record")
            if self.spec.doubled_share and row.export_us == first_us:
                self._put(BILL, f"{name}-again", row.export_us + HOUR_US, text.encode(), "duplicate")
            if self.rng.random() < self.spec.garbled_share:
                self._put(BILL, name, row.export_us, *garbled(self.rng, BILL, text))

    def sorted(self) -> tuple[Line, ...]:
        """All lines by arrival, and in the order of writing within an instant."""
        return tuple(sorted(self.lines))

    def _put(self, source: str, name: str, at_us: int, data: bytes, outcome: Outcome) -> None:
        self.lines.append(Line(at_us, len(self.lines), source, PATHS[source].format(name), data, outcome))


def write_lines(  # noqa: PLR0917 - a world is made of these
    spec: WorldSpec,
    calls: Iterable[Call],
    works: Iterable[Work],
    jobs: Iterable[Job],
    rows: Iterable[BillRow],
    rng: Random,
) -> tuple[Line, ...]:
    """Every line of the world."""
    works = tuple(works)
    end_us = max((work.finished_us for work in works), default=spec.start_us)
    scribe = Scribe(spec, rng, end_us)
    for call in calls:
        if call.client:
            _client_lines(scribe, call, call.client)
        if call.proxy:
            at_us = call.proxy.ended_ms * 1000 - spec.skew_us(EDGE)
            scribe.add(EDGE, "access", at_us, _proxy_record(call, call.proxy), recorded=call.proxy.recorded)
        if call.work:
            _work_line(scribe, call.work)
    write_jobs(spec, jobs, scribe)
    scribe.bill(tuple(rows))
    return scribe.sorted()


def _client_lines(scribe: Scribe, call: Call, view: ClientView) -> None:
    skew_us = scribe.spec.skew_us(APP)
    started = _started_record(scribe.spec, call, view)
    scribe.add(APP, call.service, view.started_us - skew_us, started, recorded=view.recorded)
    if view.ended_us is None:
        return
    ended: Record = {
        "event": "ended", "call_id": call.call_id, "at": instant_text(view.ended_us), "outcome": view.outcome,
        "reason": view.reason, "status_code": view.status_code, "bytes_received": view.bytes_received,
        "output_tokens_received": view.tokens_received, "response_id": view.response_id,
    }  # fmt: skip
    scribe.add(APP, call.service, view.ended_us - skew_us, ended, recorded=view.ended_recorded)


def _started_record(spec: WorldSpec, call: Call, view: ClientView) -> Record:
    record: Record = {
        "event": "started", "call_id": call.call_id, "at": instant_text(view.started_us),
        "service": call.service, "provider": PROVIDER, "account": call.account, "model": call.model,
        "operation": call.operation, "stream": call.stream, "request_id": call.ids.request,
        "trace_id": call.ids.trace,
        "span_id": call.ids.span, "retry_of": call.retry_of,
    }  # fmt: skip
    if spec.log_process:
        record["process"] = call.process
    if not call.hints:  # null and missing are the same
        return {key: value for key, value in record.items() if value is not None}
    size = call.input_tokens
    return record | {"input_tokens": size, "max_output_tokens": 8192, "request_bytes": 4 * size}


def _proxy_record(call: Call, view: ProxyView) -> Record:
    took_ms = view.ended_ms - view.started_ms
    record: Record = {
        "msec": _seconds(view.ended_ms), "request_id": view.request_id, "request_method": "POST",
        "request_uri": f"/{call.account}/v1/models/{call.model}:{call.operation}", "status": str(view.status),
        "request_time": _seconds(took_ms), "bytes_sent": str(view.bytes_sent),
        "request_completion": "OK" if view.whole else "", "upstream_status": view.upstream_status,
        "upstream_header_time": "-" if view.header_ms is None else _seconds(view.header_ms),
        "upstream_response_time": "-" if view.upstream_ms is None else _seconds(view.upstream_ms),
        "upstream_bytes_received": str(view.upstream_bytes), "http_traceparent": view.traceparent or "",
        "http_x_request_id": view.received_id or "-",
    }  # fmt: skip
    if not call.hints:  # numbers may stand as numbers
        record |= {"msec": view.ended_ms / 1000, "status": view.status, "request_time": took_ms / 1000}
    return record if view.service is None else record | {"service": view.service}


def _seconds(milli: int) -> str:
    return f"{milli // 1000}.{milli % 1000:03d}"


def _work_line(scribe: Scribe, work: Work) -> None:
    skew_us = scribe.spec.skew_us(BACKEND)
    finished_us = work.finished_us + skew_us
    name = instant_text(finished_us)[:13]
    latency = f"{_seconds_us(work.finished_us - work.received_us)}s"
    usage = work.usage
    payload: Record = {
        "completion_id": work.completion_id, "request_id": work.request_id, "trace_id": work.trace_id,
        "span_id": work.span_id, "response_id": work.response_id, "model": work.model, "stream": work.stream,
        "status": work.status,
        "usage": {
            "input_tokens": usage.input + usage.cached_input, "cached_input_tokens": usage.cached_input,
            "output_tokens": usage.output, "thinking_tokens": usage.thinking,
        },
    }  # fmt: skip
    payload = {key: value for key, value in payload.items() if value is not None}
    if scribe.spec.log_first_byte and work.first_byte_us is not None:
        payload["first_byte_at"] = short_instant_text(work.first_byte_us + skew_us)
    scribe.add(BACKEND, name, work.finished_us + SECOND_US, {
        "insertId": work.completion_id[5:17], "logName": f"projects/{work.account}/logs/inference",
        "timestamp": short_instant_text(finished_us),
        "receiveTimestamp": short_instant_text(finished_us + SECOND_US), "severity": "INFO",
        "resource": {"type": "generic_task", "labels": {"project_id": work.account}},
        "httpRequest": {"requestMethod": "POST", "requestSize": str(4 * usage.input), "latency": latency},
        "jsonPayload": payload,
    }, recorded=work.logged)  # fmt: skip


def _seconds_us(micro: int) -> str:
    return f"{micro // SECOND_US}.{micro % SECOND_US:06d}".rstrip("0").rstrip(".")


def _bill_text(row: BillRow) -> str:
    """A row of the export. Money is put in as decimal text, because a float would not write it as it is."""
    amounts = {"@cost": _decimal(row.cost_pico), "@credit": _decimal(row.credit_nano * PICO_PER_NANO)}
    credit = {"name": "Promo", "amount": "@credit", "full_name": None, "id": "promo", "type": "PROMOTION"}
    unit = "count" if row.key.model else "seconds"
    text = dumped({
        "billing_account_id": "01ABCD-2EF345-67890A",
        "service": {"id": "C7E2-9256-1C43", "description": row.service},
        "sku": {"id": "0000-DEMO-0001", "description": row.sku},
        "usage_start_time": _bill_instant(row.key.start_us), "usage_end_time": _bill_instant(row.key.end_us),
        "project": {"id": row.key.account, "number": "123456789", "name": row.key.account, "labels": []}
        if row.key.account else None,
        "labels": [], "system_labels": [],
        "location": {"location": "global", "country": None, "region": None, "zone": None},
        "export_time": _bill_instant(row.export_us), "cost": "@cost", "currency": row.key.currency,
        "currency_conversion_rate": 1.0,
        "usage": {
            "amount": float(row.amount), "unit": unit, "amount_in_pricing_units": row.amount / 1_000_000,
            "pricing_unit": f"1000000 {unit}",
        },
        "credits": [credit] if row.credit_nano else [], "invoice": {"month": "202611"},
        "cost_type": row.cost_type,
        "adjustment_info": {"id": None, "description": None, "mode": row.mode, "type": None},
        "transaction_type": "GOOGLE",
    })  # fmt: skip
    for mark, amount in amounts.items():
        text = text.replace(f'"{mark}"', amount)
    return text


def _bill_instant(at_us: int) -> str:
    return instant_text(at_us)[:19].replace("T", " ") + " UTC"


def _decimal(pico: int) -> str:
    whole, rest = divmod(abs(pico), 10**12)
    text = f"{whole}.{rest:012d}".rstrip("0").rstrip(".")
    return f"-{text}" if pico < 0 else text
