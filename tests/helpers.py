"""What the tests of the whole pipeline share: a world on disk, a run over it, and the ledger's tables as plain rows.

In: a world (tests/world.py) or a directory with a config. Out: rows as dicts, to be compared with the truth. Nothing
here decides what is right.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from collector import pipeline
from collector.config import Config, load
from collector.records import RunSummary, instant_us
from tests.world import World

Row = dict[str, Any]
NANO = 10**9
# What two ledgers that know the same may differ in: when they learnt it, and how they number it.
HISTORY = frozenset({"run_id", "recorded_at_us", "suspect_no", "retracted"})
PARTS = ("delivered_nano", "orphaned_nano", "cut_short_nano", "failed_nano", "unattributed_nano")
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US


def settled(world: World, directory: Path) -> Config:
    """Everything that `world` will ever write, read in one run when all is settled; the config."""
    config = load(world.write(directory))
    pipeline.run_once(config, now_us=instant_us(world.as_of))
    return config


def rows(config: Config, table: str, *, as_of_us: int | None = None) -> list[Row]:
    """All rows of one of the ledger's tables, as they were known by `as_of_us`."""
    with pipeline.reading(config, as_of_us=as_of_us) as (connection, _):
        relation = connection.table(table)
        return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def verdicts(config: Config, *, as_of_us: int | None = None) -> list[Row]:
    """The current verdicts, without what belongs to the ledger's own history, in a fixed order."""
    return _told(rows(config, "verdict_current", as_of_us=as_of_us))


def buckets(config: Config, *, as_of_us: int | None = None) -> list[Row]:
    """The current buckets, without what belongs to the ledger's own history, in a fixed order."""
    return _told(rows(config, "bucket_current", as_of_us=as_of_us))


def _told(found: Iterable[Row]) -> list[Row]:
    told = [{key: value for key, value in row.items() if key not in HISTORY} for row in found]
    return sorted(told, key=lambda row: json.dumps(row, sort_keys=True, default=str))


def counters(config: Config, *, as_of_us: int | None = None) -> dict[tuple[str, ...], int]:
    """(name, label values...) -> the counter's total."""
    return {
        (row["name"], *row["labels"]): int(row["value"])
        for row in rows(config, "counter_total", as_of_us=as_of_us)
    }


def source_counts(config: Config, source: str) -> dict[str, int]:
    """outcome -> lines of that source that had it; outcomes that never happened are 0."""
    found = counters(config)
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
            labels = (row["provider"], row["model"], row["service"], row["reason"], row["currency"])
            lost[labels] += row["orphaned_nano"]
    return lost


def problems(config: Config) -> Counter[tuple[str, str]]:
    """(source, kind) -> how many problems are on record."""
    return Counter((row["source"], row["kind"]) for row in rows(config, "problem"))


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
