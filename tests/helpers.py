"""What the tests of the whole pipeline share: a world on disk, a run over it, the ledger's tables as rows.

In: a world (tests/world.py), or a directory with a config. Out: rows as dicts, to be compared with the truth.
Nothing here decides what is right.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import yaml

from collector import pipeline
from collector.config import Config, load
from collector.records import RunSummary, instant_text, instant_us
from tests.world import World
from tests.world_config import FIELDS
from tests.world_spec import PROVIDER

Row = dict[str, Any]
Ledger = Config | duckdb.DuckDBPyConnection  # a closed one, or one that is being looked into
NANO = 10**9
# What two ledgers that know the same may differ in: when they learnt it, and how they number it.
HISTORY = frozenset({"run_id", "recorded_at_us", "suspect_no", "retracted"})
PARTS = ("delivered_nano", "orphaned_nano", "cut_short_nano", "failed_nano", "unattributed_nano")
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
T0_US = 1_795_132_800_000_000  # 2026-11-20T00:00:00Z

DESK_CONFIG: Row = {
    "ledger": {"path": "ledger.duckdb"},
    "sources": [
        {"name": "app", "kind": "client-log", "path": "client/*.jsonl"},
        {
            "name": "edge", "kind": "nginx", "path": "nginx/*.json", "service": "web",
            "routes": [{
                "match": r"^/v1/models/(?P<model>[^:/]+):(?P<operation>\w+)", "provider": PROVIDER,
                "account": "acme",
            }],
        },
        {
            "name": "backend", "kind": "cloud-logging-file", "path": "backend/*.jsonl", "provider": PROVIDER,
            "fields": FIELDS | {
                "price_class": "jsonPayload.price_class", "images": "jsonPayload.usage.images",
            },
        },
        {"name": "bill", "kind": "gcp-billing-file", "path": "billing/*.jsonl"},
    ],
    "skus": [
        {"match": r"^Acme (?P<model>\S+) Cached Input Tokens$", "usage": "cached_input"},
        {"match": r"^Acme (?P<model>\S+) Input Tokens$", "usage": "input"},
        {"match": r"^Acme (?P<model>\S+) Thinking Tokens$", "usage": "thinking"},
        {"match": r"^Acme (?P<model>\S+) Output Tokens$", "usage": "output"},
    ],
    "policies": [
        {"provider": PROVIDER, "on": "cancelled", "billed": True},
        {"provider": PROVIDER, "on": "error", "billed": False},
    ],
    "prices": [{
        "model": "acme-chat-1", "from": date(2026, 1, 1), "currency": "USD", "input_per_mtok": "0.30",
        "cached_input_per_mtok": "0.03", "output_per_mtok": "2.50",
    }],
}  # fmt: skip


def settled(world: World, directory: Path) -> Config:
    """Everything that `world` will ever write, read in one run when all is settled; the config."""
    config = load(world.write(directory))
    pipeline.run_once(config, now_us=instant_us(world.as_of))
    return config


def rows(ledger: Ledger, table: str, *, as_of_us: int | None = None) -> list[Row]:
    """All rows of one of the ledger's tables, as they were known by `as_of_us`."""
    with looking(ledger, as_of_us) as connection:
        relation = connection.table(table)
        return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


@contextmanager
def looking(ledger: Ledger, as_of_us: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """The ledger as it was known by `as_of_us`, opened for several looks; one that is open is given back as it is."""
    if isinstance(ledger, duckdb.DuckDBPyConnection):
        yield ledger
    elif as_of_us is None:
        with duckdb.connect(str(ledger.ledger_path), read_only=True) as connection:
            yield connection
    else:
        with pipeline.reading(ledger, as_of_us=as_of_us) as (connection, _):
            yield connection


def verdicts(ledger: Ledger, *, as_of_us: int | None = None) -> list[Row]:
    """The current verdicts, without what belongs to the ledger's own history, in a fixed order."""
    return _told(rows(ledger, "verdict_current", as_of_us=as_of_us))


def buckets(ledger: Ledger, *, as_of_us: int | None = None) -> list[Row]:
    """The current buckets, without what belongs to the ledger's own history, in a fixed order."""
    return _told(rows(ledger, "bucket_current", as_of_us=as_of_us))


def _told(found: Iterable[Row]) -> list[Row]:
    told = [{key: value for key, value in row.items() if key not in HISTORY} for row in found]
    return sorted(told, key=lambda row: json.dumps(row, sort_keys=True, default=str))


def counters(ledger: Ledger, *, as_of_us: int | None = None) -> dict[tuple[str, ...], int]:
    """(name, label values...) -> the counter's total."""
    return {
        (row["name"], *row["labels"]): int(row["value"]) for row in rows(ledger, "counter_total", as_of_us=as_of_us)
    }


def source_counts(ledger: Ledger, source: str) -> dict[str, int]:
    """Outcome -> lines of that source that had it; outcomes that never happened are 0."""
    found = counters(ledger)
    return {
        outcome: found.get(("source_records_total", source, outcome), 0)
        for outcome in ("new", "duplicate", "problem", "ignored")
    }


def true_counts(world: World, source: str) -> dict[str, int]:
    """The same as the world knows it."""
    counts = world.counts(source)
    return {
        "new": counts.records, "duplicate": counts.duplicates, "problem": counts.problems,
        "ignored": counts.ignored,
    }  # fmt: skip


def net_spend(found: Mapping[tuple[str, ...], int]) -> Counter[tuple[str, ...]]:
    """Labels -> recognized + corrected up - corrected down, without those that come to nothing."""
    net: Counter[tuple[str, ...]] = Counter()
    signs = {"recognized_spend_total": 1, "spend_corrected_up_total": 1, "spend_corrected_down_total": -1}
    for (name, *labels), value in found.items():
        if name in signs:
            net[tuple(labels)] += signs[name] * value
    return Counter({labels: nano for labels, nano in net.items() if nano})


def lost_now(found: Iterable[Row]) -> Counter[tuple[str, ...]]:
    """The same sums drawn from the current verdicts."""
    lost: Counter[tuple[str, ...]] = Counter()
    for row in found:
        if row["money_row"] and row["verdict"] in {"orphaned", "cut_short"} and row["orphaned_nano"]:
            labels = tuple(row[name] or "" for name in ("provider", "model", "service", "reason", "currency"))
            lost[labels] += row["orphaned_nano"]
    return lost


def problems(ledger: Ledger, *, as_of_us: int | None = None) -> Counter[tuple[str, str]]:
    """(source, kind) -> how many problems are on record."""
    return Counter((row["source"], row["kind"]) for row in rows(ledger, "problem", as_of_us=as_of_us))


def write_lines(path: Path, records: Sequence[Mapping[str, Any] | bytes | str]) -> None:
    """Append lines to a file: records as JSON, anything else as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        for record in records:
            line = record if isinstance(record, bytes | str) else json.dumps(record)
            file.write((line if isinstance(line, bytes) else line.encode()) + b"\n")


def run(config: Config, now_us: int) -> RunSummary:
    """One run at `now_us`."""
    return pipeline.run_once(config, now_us=now_us)


class Desk:
    """A log and a bill written by hand, for cases of a few calls. Times are minutes after `T0_US`."""

    def __init__(self, directory: Path, **changes: Any) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        settings = {**DESK_CONFIG, **changes}
        self.path = directory / "orphaned.yaml"
        self.path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
        self.config = load(self.path)

    def put(self, file: str, *records: Mapping[str, Any] | bytes | str) -> None:
        """Append lines to a file of the logs or of the bill."""
        write_lines(self.directory / file, records)

    def started(self, call_id: str, minute: float, *, file: str = "client/a.jsonl", **more: Any) -> None:
        """The started line of a call; its request_id is its call_id."""
        self.put(file, {
            "event": "started", "call_id": call_id, "at": at(minute), "service": "chat", "provider": PROVIDER,
            "account": "acme", "model": "acme-chat-1", "stream": True, "request_id": call_id, **more,
        })  # fmt: skip

    def ended(self, call_id: str, minute: float, *, file: str = "client/a.jsonl", **more: Any) -> None:
        """The ended line of a call: left by Ctrl-C before anything came, unless `more` says otherwise."""
        self.put(file, {
            "event": "ended", "call_id": call_id, "at": at(minute), "outcome": "aborted",
            "reason": "interrupt",
            "bytes_received": 0, "output_tokens_received": 0, **more,
        })  # fmt: skip

    def completion(
        self,
        request_id: str,
        minute: float,
        *,
        file: str = "backend/a.jsonl",
        seconds: float = 10,
        **more: Any,
    ) -> None:
        """An entry of the backend: it worked `seconds` up to `minute` on 1000 tokens in and 2000 out."""
        payload = {
            "completion_id": f"cmpl-{request_id}", "request_id": request_id, "model": "acme-chat-1",
            "stream": True, "status": "ok", "usage": {"input_tokens": 1000, "output_tokens": 2000}, **more,
        }  # fmt: skip
        self.put(file, {
            "insertId": f"i-{payload['completion_id']}", "logName": "projects/acme/logs/inference",
            "timestamp": at(minute), "httpRequest": {"latency": f"{seconds}s"}, "jsonPayload": payload,
            "resource": {"labels": {"project_id": "acme"}},
        })  # fmt: skip

    def bill(
        self, kind: str, hour: int, tokens: float, cost: str, *, file: str = "billing/a.jsonl", **more: Any
    ) -> None:
        """A row of the bill: `tokens` of a kind ("Input", "Output", ...) in the hour that `hour` begins."""
        self.put(file, {
            "service": {"id": "C7E2-9256-1C43", "description": "Vertex AI"},
            "sku": {"id": "1", "description": f"Acme acme-chat-1 {kind} Tokens"}, "project": {"id": "acme"},
            "usage_start_time": at(60 * hour), "usage_end_time": at(60 * hour + 60),
            "export_time": at(60 * hour + 300), "cost": cost, "currency": "USD",
            "usage": {"amount": tokens, "unit": "count"}, "credits": [], "cost_type": "regular", **more,
        })  # fmt: skip

    def run(self, minute: float) -> RunSummary:
        """One run, so many minutes after `T0_US`."""
        return run(self.config, T0_US + round(minute * MINUTE_US))


def at(minute: float) -> str:
    """The instant as text."""
    return instant_text(T0_US + round(minute * MINUTE_US))
