"""What the provider writes: its log of completions as Cloud Logging entries, the bill; and the collector's config.

Played calls come in; files go out, in the room where the client's and nginx's logs are already: `backend/*.jsonl`,
`billing/bill.jsonl`, and the configs. Formats: cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry and the
columns of the standard usage cost export.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from tests.lab.calls import PROJECT
from tests.lab.edge import LOG
from tests.lab.money import LIST_NANO, PROVIDERS, model_of, price_nano, units
from tests.lab.played import Played

Json = dict[str, Any]
HOUR_US = 3_600_000_000
CONFIG, CONFIG_WITHOUT_CLIENT = "orphaned.yaml", "orphaned-without-client.yaml"
BILL = "billing/bill.jsonl"
UNLOGGED_TOKENS = 1_000_000
OTHER_COST = "3.5"  # on the same bill, for something that is no inference
_SERVICES = {
    "gcp.gemini": {"id": "AEFD-7695-64FA", "description": "Gemini API"},
    "gcp.vertex_ai": {"id": "C7E2-9256-1C43", "description": "Vertex AI"},
    "openai": {"id": "ACME-0001", "description": "Acme Inference"},
}
_SKUS = {
    ("gemini-3.5-flash", "input"): "Gemini 3.5 Flash Text Input - Predictions",
    ("gemini-3.5-flash", "cached_input"): "Gemini 3.5 Flash Text Cached Input - Predictions",
    ("gemini-3.5-flash", "output"): "Gemini 3.5 Flash Text Output - Predictions",
    ("imagen-4.0-generate-001", "image"): "Imagen 4 Generation",
    ("acme-chat-1", "input"): "Acme acme-chat-1 Input Tokens",
    ("acme-chat-1", "output"): "Acme acme-chat-1 Output Tokens",
}


def write(room: Path, played: Sequence[Played], *, unlogged: int = UNLOGGED_TOKENS) -> None:
    """All that the provider writes, and the config by which the collector reads it. `unlogged`: see `bill`."""
    for provider in sorted(set(PROVIDERS.values())):
        entries = [entry(one) for one in played if PROVIDERS[model_of(one.cell)] == provider]
        write_lines(room / "backend" / f"{provider}.jsonl", entries)
    write_lines(room / BILL, bill(played, unlogged=unlogged))
    write_config(room)


def write_config(room: Path) -> None:
    """The config by which the collector reads the room, and one that knows nothing of the client's log."""
    whole = config()
    without = {
        **whole,
        "ledger": {"path": "ledger-without-client.duckdb"},
        "sources": [source for source in whole["sources"] if source["kind"] != "client-log"],
    }
    for name, told in ((CONFIG, whole), (CONFIG_WITHOUT_CLIENT, without)):
        (room / name).write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")


def instant(at_us: int) -> str:
    """RFC 3339, UTC, to the microsecond."""
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime(f"%Y-%m-%dT%H:%M:%S.{at_us % 1_000_000:06d}Z")


def entry(played: Played) -> Json:
    """The entry of a completion. The chat server logs the trace of its caller, the others the request id."""
    used, took_us = played.usage, played.finished_us - played.received_us
    payload: Json = {
        "completion_id": played.completion_id, "model": model_of(played.cell), "stream": played.cell.is_stream,
        "status": played.status,
        "usage": {
            "input_tokens": used.input, "cached_input_tokens": used.cached, "output_tokens": used.visible,
            "thinking_tokens": used.thinking, "images": used.images,
        },
    }  # fmt: skip
    if played.first_byte_us is not None:
        payload["first_byte_at"] = instant(played.first_byte_us)
    told: Json = {
        "insertId": f"i-{played.completion_id}", "logName": f"projects/{PROJECT}/logs/inference",
        "timestamp": instant(played.finished_us), "receiveTimestamp": instant(played.finished_us + 400_000),
        "severity": "INFO", "resource": {"type": "generic_task", "labels": {"project_id": PROJECT}},
        "httpRequest": {"latency": f"{took_us // 1_000_000}.{took_us % 1_000_000:06d}s", "status": 200},
        "jsonPayload": payload,
    }  # fmt: skip
    if played.traceparent is None:
        payload["request_id"] = played.request_id
    else:
        _, trace, span, _ = played.traceparent.split("-")
        told |= {"trace": f"projects/{PROJECT}/traces/{trace}", "spanId": span}
    return told


def bill(played: Iterable[Played], *, unlogged: int) -> list[Json]:
    """The rows of the export, one an hour and SKU; the last is no inference.

    `unlogged`: tokens of Gemini's input on top, used by somebody whom no log shows.
    """
    used: Counter[tuple[int, str, str]] = Counter()
    last_us = 0
    for one in played:
        last_us = max(last_us, one.finished_us)
        for kind, count in units(one).items():
            used[one.finished_us // HOUR_US, model_of(one.cell), kind] += count
    used[last_us // HOUR_US, "gemini-3.5-flash", "input"] += unlogged
    rows = [_row(hour, model, kind, count) for (hour, model, kind), count in sorted(used.items())]
    storage = {**rows[-1], "service": {"id": "95FF", "description": "Cloud Storage"}, "cost": OTHER_COST}
    return [*rows, {**storage, "sku": {"id": "S", "description": "Standard Storage US Regional"}}]


def _row(hour: int, model: str, kind: str, count: int) -> Json:
    return charged(PROVIDERS[model], _SKUS[model, kind], hour, count, decimal(count * price_nano(model, kind)))


def charged(provider: str, sku: str, hour: int, count: int, cost: str) -> Json:
    """One row of the export: so much of a SKU in the hour `hour` since 1970."""
    return {
        "billing_account_id": "01ABCD-2EF345-67890A", "service": _SERVICES[provider],
        "sku": {"id": sku[:4], "description": sku}, "project": {"id": PROJECT},
        "usage_start_time": instant(hour * HOUR_US), "usage_end_time": instant((hour + 1) * HOUR_US),
        "export_time": instant((hour + 5) * HOUR_US), "cost": cost,
        "currency": "USD", "usage": {"amount": count, "unit": "count"}, "credits": [], "cost_type": "regular",
    }  # fmt: skip


def decimal(nano: int) -> str:
    """Nano-units as decimal text of whole units."""
    return str(Decimal(nano) / 10**9)


def config() -> Json:
    """The collector's config. Known paths need no routes, and known SKUs no rules; chat-1 is a house of its own."""
    logs = [
        {"name": f"log-{provider}", "kind": "cloud-logging-file", "path": f"backend/{provider}.jsonl",
         "provider": provider, "fields": {"completion_id": "jsonPayload.completion_id"}}
        for provider in sorted(set(PROVIDERS.values()))
    ]  # fmt: skip
    return {
        "ledger": {"path": "ledger.duckdb"},
        "sources": [
            {"name": "app", "kind": "client-log", "path": "client/*.jsonl"},
            {"name": "edge", "kind": "nginx", "path": LOG},
            *logs,
            {"name": "bill", "kind": "gcp-billing-file", "path": "billing/*.jsonl"},
        ],
        "skus": [
            {"match": r"^Acme (?P<model>\S+) Input Tokens$", "usage": "input", "provider": "openai"},
            {"match": r"^Acme (?P<model>\S+) Output Tokens$", "usage": "output", "provider": "openai"},
        ],
        "policies": [
            {"provider": provider, "on": "cancelled", "billed": provider != "openai"}
            for provider in sorted(set(PROVIDERS.values()))
        ],
        "prices": [_price(model) for model in LIST_NANO],
    }  # fmt: skip


def _price(model: str) -> Json:
    told: Json = {"model": model, "provider": PROVIDERS[model], "from": date(2026, 1, 1), "currency": "USD"}
    for kind, nano in LIST_NANO[model].items():
        if kind == "image":
            told["per_image"] = decimal(nano)
        else:
            told[f"{kind}_per_mtok"] = decimal(nano * 1_000_000)
    return told


def write_lines(path: Path, records: Iterable[Json]) -> None:
    """JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
