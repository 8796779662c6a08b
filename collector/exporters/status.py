"""How sources, runs, bill and problems stand, for `orphaned status` and for the end of a run.

A frozen summary and a connection to the ledger come in. It shows; it judges nothing, and it reads no clock.
"""

from collections.abc import Iterator
from typing import Any

import duckdb

from collector.exporters.landing import money, percent, span
from collector.exporters.telling import aligned
from collector.ledger import dialect
from collector.ledger.clocks import clock_lines
from collector.records import LedgerSummary, instant_text

PACKAGE = "collector.exporters"
OUTCOMES = ("new", "duplicate", "problem", "ignored")
EXAMPLE_CHARS_MAX = 100

Document = dict[str, Any]


def document(
    summary: LedgerSummary,
    connection: duckdb.DuckDBPyConnection,
    *,
    ledger_path: str,
    ledger_bytes: int,
    now_us: int,
) -> Document:
    """How everything stands at `now_us`, as plain values: instants as text, lags in microseconds."""
    pending, unmatched, cancelled = dialect.run(connection, PACKAGE, "status_count")[0]
    settled = summary.families.get("bill_settled_through_timestamp_seconds", ())
    return {
        "now": instant_text(now_us),
        "last_run": instant_text(summary.as_of_us),
        "ledger": {"path": ledger_path, "bytes": ledger_bytes},
        "sources": [
            {
                "source": one.source, "kind": one.kind, "up": one.up, "error": one.error or None,
                "last_success_at": _instant(one.last_success_at_us),
                "watermark_at": _instant(one.watermark_at_us),
                "lag_us": None if one.watermark_at_us is None else max(0, now_us - one.watermark_at_us),
                "records": {outcome: one.records.get(outcome, 0) for outcome in OUTCOMES},
            }
            for one in summary.sources
        ],
        "problems": [
            {
                "source": one.source, "kind": one.kind, "count": one.count,
                "last_seen_at": instant_text(one.last_seen_at_us), "example": one.example,
            }
            for one in summary.problems
        ],
        "runs": [
            {
                "run_id": one.run_id, "as_of": instant_text(one.recorded_at_us), "outcome": one.outcome,
                "duration_ms": one.duration_ms, "rows_new": one.rows_new,
            }
            for one in summary.runs
        ],
        "bill_settled_through": [
            {
                "provider": one.labels[0], "account": one.labels[1],
                "through": instant_text(int(one.value) * 1_000_000),
            }
            for one in settled
        ],
        "clocks": [
            {
                "source": one.source, "hour_at": instant_text(one.hour_at_us), "pairs": one.pairs,
                "shift_us": round(one.shift_us), "scale_us": round(one.scale_us),
                "drift_us_per_day": None if one.drift_us is None else round(one.drift_us),
            }
            for one in clock_lines(connection, {"now_us": summary.as_of_us})
        ],
        "aborts_pending": pending,
        "aborts_unmatched": unmatched,
        "completions_cancelled_without_abort": cancelled,
    }  # fmt: skip


def text(summary: LedgerSummary, found: Document, now_us: int) -> str:
    """The same for a person."""
    size = f"{found['ledger']['bytes'] / 1e6:,.1f} MB"
    lines = [f"Ledger {found['ledger']['path']}, {size}; last run as of {_short(summary.as_of_us)}"]
    parts = (
        ("Sources", _sources(summary, now_us)),
        ("Problems (all of them: orphaned export problems)", _problems(summary)),
        ("Bill settled through", _settled(found)),
        ("Clocks: the backend's receipt after the observer's start, skew and network in one", _clocks(found)),
        ("Without a completion or an abort", _loose(found)),
        ("Last runs", _runs(summary)),
    )
    for title, rows in parts:
        lines += ["", title, *(f"  {row}" for row in rows)]
    return "\n".join(lines) + "\n"


def _sources(summary: LedgerSummary, now_us: int) -> Iterator[str]:
    table: list[tuple[str, ...]] = [("source", "kind", "state", "read up to", "lag", *OUTCOMES)]
    for one in summary.sources:
        watermark_us = one.watermark_at_us
        table.append((
            one.source, one.kind, "up" if one.up else "down",
            "never" if watermark_us is None else _short(watermark_us),
            "" if watermark_us is None else span(now_us - watermark_us),
            *(f"{one.records.get(outcome, 0):,}" for outcome in OUTCOMES),
        ))  # fmt: skip
    yield from aligned(table, numbers={5, 6, 7, 8})
    yield from (f"{one.source} is down: {one.error}" for one in summary.sources if not one.up)


def _problems(summary: LedgerSummary) -> Iterator[str]:
    if not summary.problems:
        yield "none"
        return
    table = [("source", "kind", "count", "newest")]
    table += [(one.source, one.kind, f"{one.count:,}", _cut(one.example)) for one in summary.problems]
    yield from aligned(table, numbers={2})


def _settled(found: Document) -> Iterator[str]:
    rows = [
        (one["provider"] or "(no known provider)", one["account"] or "(no account)", _brief(one["through"]))
        for one in found["bill_settled_through"]
    ]
    yield from aligned([("provider", "account", "through"), *rows]) if rows else ["nothing is settled yet"]


def _clocks(found: Document) -> Iterator[str]:
    """A line an observer, in milliseconds."""
    table = [("source", "shift", "spread", "drift a day", "exact matches", "hour")]
    for one in found["clocks"]:
        drift_us = one["drift_us_per_day"]
        table.append((
            one["source"], f"{one['shift_us'] / 1000:+,.1f} ms", f"{one['scale_us'] / 1000:,.1f} ms",
            "unknown" if drift_us is None else f"{drift_us / 1000:+,.1f} ms", f"{one['pairs']:,}",
            _brief(one["hour_at"]),
        ))  # fmt: skip
    yield from aligned(table, numbers={1, 2, 3, 4}) if len(table) > 1 else ["too few exact matches to tell"]


def _loose(found: Document) -> Iterator[str]:
    table = [
        ("aborts still pending", f"{found['aborts_pending']:,}"),
        ("aborts unmatched", f"{found['aborts_unmatched']:,}"),
        ("completions cancelled without an abort", f"{found['completions_cancelled_without_abort']:,}"),
    ]
    yield from aligned(table, numbers={1})


def _runs(summary: LedgerSummary) -> Iterator[str]:
    table = [("run", "as of", "outcome", "took", "new records")]
    for one in summary.runs:
        took = f"{one.duration_ms / 1000:,.1f} s"
        table.append((str(one.run_id), _short(one.recorded_at_us), one.outcome, took, f"{one.rows_new:,}"))
    yield from aligned(table, numbers={0, 3, 4})


def spent(summary: LedgerSummary) -> Iterator[str]:
    """What the last 30 days cost for nothing, a line a currency, in the words of `run --once`."""
    for one in sorted(summary.windows, key=lambda one: (one.currency != summary.currency, one.currency)):
        whole_nano = sum(one.parts.values())
        if one.window != "30d" or not (whole_nano or one.currency == summary.currency):
            continue
        share = percent(one.best_nano, whole_nano)
        yield (
            f"Orphaned spend, last 30 days: {one.currency} {money(one.best_nano)} "
            f"(between {money(one.low_nano)} and {money(one.high_nano)})"
            f"{f', {share} of {one.currency} {money(whole_nano)}' if share else ''}; "
            f"avoidable: {money(one.avoidable_nano)}"
        )


def after_run(summary: LedgerSummary, *, new: int, duration_ms: int) -> Iterator[str]:
    """What one run read and found, in a few lines for a person."""
    yield f"Run as of {_short(summary.as_of_us)}: {new:,} new records in {duration_ms / 1000:.1f} s."
    table: list[tuple[str, ...]] = [("source", "state", *OUTCOMES)]
    for one in summary.sources:
        counts = (f"{one.records.get(outcome, 0):,}" for outcome in OUTCOMES)
        table.append((one.source, "up" if one.up else "DOWN", *counts))
    yield from (f"  {row}" for row in aligned(table, numbers={2, 3, 4, 5}))
    verdicts = [f"{count:,} {name.replace('_', ' ')}" for name, count in sorted(summary.verdicts.items()) if count]
    evidence = [f"{count:,} {name}" for name, count in sorted(summary.evidence.items()) if count]
    total = sum(summary.verdicts.values())
    told = f": {', '.join(verdicts)} (evidence: {', '.join(evidence)})" if total else ""
    yield f"Aborts, last 30 days: {total:,}{told}"
    yield from spent(summary)
    if summary.problems:
        count = sum(one.count for one in summary.problems)
        yield f"Problems on record: {count:,}. See them all: orphaned export problems"
        kinds = [(one.source, one.kind, f"{one.count:,}", _cut(one.example)) for one in summary.problems]
        yield from (f"  {row}" for row in aligned(kinds, numbers={2}))
    yield "More: orphaned status, orphaned export verdicts, orphaned explain CALL_ID"


def _cut(example: str) -> str:
    return example if len(example) <= EXAMPLE_CHARS_MAX else f"{example[: EXAMPLE_CHARS_MAX - 1]}…"


def _instant(at_us: int | None) -> str | None:
    return None if at_us is None else instant_text(at_us)


def _brief(at: str) -> str:
    return f"{at[:16].replace('T', ' ')} UTC"


def _short(at_us: int) -> str:
    return _brief(instant_text(at_us))
