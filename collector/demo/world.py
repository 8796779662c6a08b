"""The demo's day as files: an end comes in; logs, bill and config go into a directory, the truth comes out.

The same end gives the same bytes, and another end gives the same day at another time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from collector.demo import bill, cast, logs, truth
from collector.demo.cast import HOUR_US, SECOND_US
from collector.demo.traffic import Call, day_of_calls, trace

SEED = 20_231_116  # the day of the trace
# No call may still be waiting for its completion: the default horizon, and some minutes.
AGE_US = 35 * 60 * SECOND_US

CONFIG = """\
# What `orphaned demo` wrote. Paths are relative to this file; every key that is not here has its default.
ledger: {{path: ledger.duckdb}}
http: {{listen: "{listen}"}}
billing: {{settle_after: 12h}}      # 48h by default; the demo's bill is a day old
sources:
  - {{name: clients, kind: client-log, path: "client/*.jsonl"}}
  - {{name: edge, kind: nginx, path: "nginx/edge.json"}}
  - {{name: gateway, kind: nginx, path: "nginx/gateway.json"}}
  - {{name: backend, kind: cloud-logging-file, path: "backend/*.jsonl", provider: gcp.vertex_ai}}
  - {{name: bill, kind: gcp-billing-file, path: "billing/*.jsonl"}}
"""


@dataclass(frozen=True, slots=True)
class Day:
    """What truly happened. `bill_to_us`: from there on no hour is billed in full."""

    start_us: int
    end_us: int
    bill_to_us: int
    calls: int
    losses: tuple[truth.Loss, ...]
    spent_nano: int  # by all calls, delivered or not
    settled: truth.Parts  # of the bill before bill_to_us
    trace_rows: int


def day_end_us(now_us: int) -> int:
    """The full hour at which the demo's day ends: no abort is so young that it could be pending."""
    return (now_us - AGE_US) // HOUR_US * HOUR_US


def make(directory: Path, *, end_us: int, listen: str) -> Day:
    """Write the day that ended at `end_us` (a full hour) into `directory`, with its orphaned.yaml."""
    rng = Random(SEED)  # noqa: S311 (a repeatable day, no secret)
    start_us = end_us - cast.DAY_HOURS * HOUR_US
    calls = day_of_calls(start_us, rng)
    used = bill.used_tokens(calls, start_us)
    extra = bill.unwatched(used)
    for name, lines in logs.client_lines(calls, rng).items():
        _write(directory / "client" / f"{name}.jsonl", (line for _, line in lines))
    for name, lines in logs.proxy_lines(calls, start_us, end_us).items():
        _write(directory / "nginx" / f"{name}.json", (line for _, line in lines))
    _write(directory / "backend" / "inference.jsonl", (line for _, line in logs.backend_lines(calls, rng)))
    billed = {key: tokens + extra.get(key, 0) for key, tokens in used.items()}
    for name, rows in bill.export_lines(billed, start_us, rng).items():
        _write(directory / "billing" / f"{name}.jsonl", rows)
    _write(directory / "orphaned.yaml", [CONFIG.format(listen=listen).rstrip("\n")])
    return _day(start_us, end_us, calls, extra)


def _day(start_us: int, end_us: int, calls: Sequence[Call], unwatched: bill.Used) -> Day:
    full_hours = cast.DAY_HOURS - bill.LAG_HOURS - bill.PARTIAL_HOURS
    bill_to_us = start_us + full_hours * HOUR_US
    unwatched_nano = sum(
        tokens * cast.MODELS[model].net_nano(usage)
        for (hour, model, usage), tokens in unwatched.items()
        if hour < full_hours
    )
    return Day(
        start_us, end_us, bill_to_us, len(calls), tuple(truth.losses(calls)),
        sum(truth.cost_nano(call) for call in calls),
        truth.parts(calls, unwatched_nano, before_us=bill_to_us), len(trace()),
    )  # fmt: skip


def _write(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
