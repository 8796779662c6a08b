"""The tables of `export`: columns, exact amounts, formats that agree, spans, whole files."""

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.config import Config, load
from collector.exporters import tables
from collector.ledger import dialect
from collector.money import text_from_nano
from collector.pipeline import reading, run_once
from collector.problems import OperatingError
from collector.records import instant_text, instant_us
from tests.world import World, WorldSpec, build

VERDICTS = [
    "observer", "call_id", "request_id", "provider", "account", "model", "operation", "service", "stream",
    "started_at", "ended_at", "reason", "verdict", "evidence", "match_probability", "completion_id",
    "finished_at", "cost", "orphaned_cost", "orphaned_cost_low", "orphaned_cost_high", "avoidable_cost",
    "currency", "basis", "avoided_cost",
]  # fmt: skip
RECONCILIATION = [
    "usage_start", "usage_end", "provider", "account", "model", "usage", "price_class", "billed_usage",
    "logged_usage", "billed_cost", "delivered_cost", "orphaned_cost", "cut_short_cost", "failed_cost",
    "unattributed_cost", "estimated_cost", "currency", "settled",
]  # fmt: skip
PROBLEMS = ["source", "kind", "place", "message", "seen_at", "excerpt"]
JOBS = [
    "job_id", "kind", "provider", "account", "model", "service", "observer", "call_id", "created_at", "finished_at",
    "state", "waits", "looks", "last_look_at", "left_at", "reason", "cancel_requested_at", "cancel_result",
    "requests_total", "requests_done", "verdict", "cost", "orphaned_cost", "avoidable_cost", "avoided_cost",
    "avoided_by", "currency", "basis",
]  # fmt: skip
COLUMNS: dict[tables.Name, list[str]] = {
    "verdicts": VERDICTS, "reconciliation": RECONCILIATION, "problems": PROBLEMS, "jobs": JOBS,
}  # fmt: skip

Ledger = tuple[World, Config]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """A rough world that has been read once, all of it settled."""
    world = build(WorldSpec.rough(seed=1, calls=300, jobs=14))
    config = load(world.write(tmp_path_factory.mktemp("tables")))
    run_once(config, now_us=instant_us(world.as_of))
    return world, config


@pytest.fixture
def connection(ledger: Ledger) -> Iterator[duckdb.DuckDBPyConnection]:
    """Its ledger, opened for reading."""
    with reading(ledger[1]) as (opened, _):
        yield opened


def written(
    connection: duckdb.DuckDBPyConnection,
    name: tables.Name,
    layout: tables.Format,
    span: tables.Span = tables.ALWAYS,
) -> bytes:
    """One table in one format."""
    sink = io.BytesIO()
    tables.write(name, connection, sink, layout=layout, span=span)
    return sink.getvalue()


def objects(
    connection: duckdb.DuckDBPyConnection, name: tables.Name, span: tables.Span = tables.ALWAYS
) -> list[dict[str, object]]:
    """The rows of one table, from its JSON."""
    rows: list[dict[str, object]] = json.loads(written(connection, name, "json", span))
    return rows


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_and_formats_agree(connection: duckdb.DuckDBPyConnection, name: tables.Name) -> None:
    """CSV, JSON and Parquet have the contract's columns in its order, and say the same."""
    rows = objects(connection, name)
    assert rows
    assert all(list(row) == COLUMNS[name] for row in rows)
    assert pq.read_table(io.BytesIO(written(connection, name, "parquet"))).to_pylist() == rows
    text = io.StringIO(written(connection, name, "csv").decode(), newline="")
    from_csv = list(csv.DictReader(text))
    assert [list(row) for row in from_csv] == [COLUMNS[name]] * len(rows)
    assert from_csv == [{key: in_csv(value) for key, value in row.items()} for row in rows]


def in_csv(value: object) -> str:
    """How CSV says a value: nothing known is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_verdicts_are_ordered_and_timed(connection: duckdb.DuckDBPyConnection) -> None:
    """Verdicts come by start and call id, and instants are RFC 3339 in UTC with microseconds."""
    rows = objects(connection, "verdicts")
    keys = [(str(row["started_at"]), str(row["call_id"])) for row in rows]
    assert keys == sorted(keys)
    assert all(len(at) == 27 and at.endswith("Z") for at, _ in keys)


def test_settled_buckets_add_up(connection: duckdb.DuckDBPyConnection) -> None:
    """In every settled row the parts add up to what was billed, to the last nano-unit."""
    parts = ("delivered_cost", "orphaned_cost", "cut_short_cost", "failed_cost", "unattributed_cost")
    settled = [row for row in objects(connection, "reconciliation") if row["settled"]]
    assert settled
    for row in settled:
        assert Decimal(str(row["billed_cost"])) == sum(Decimal(str(row[part])) for part in parts)


def test_billed_cost_adds_up_to_the_bill(ledger: Ledger, connection: duckdb.DuckDBPyConnection) -> None:
    """The column billed_cost adds up to the bill in each currency, lines of no known model included."""
    rows = objects(connection, "reconciliation")
    for currency, total in ledger[0].totals.items():
        billed = [
            Decimal(str(row["billed_cost"])) for row in rows if row["currency"] == currency and row["billed_cost"]
        ]
        assert sum(billed) == Decimal(total.billed.numerator) / Decimal(total.billed.denominator)


def test_every_abort_has_its_row(ledger: Ledger, connection: duckdb.DuckDBPyConnection) -> None:
    """Each abort of the world is a row, by its observer and call; jobs have rows of their own."""
    rows = [row for row in objects(connection, "verdicts") if row["operation"] not in {"batch", "operation"}]
    assert {(row["observer"], row["call_id"]) for row in rows} == {
        (abort.observer, abort.call_id) for abort in ledger[0].aborts
    }


def test_span_is_half_open(connection: duckdb.DuckDBPyConnection) -> None:
    """--from is in, --to is out: a span between two starts has the first of them alone."""
    first, second = sorted({str(row["started_at"]) for row in objects(connection, "verdicts")})[:2]
    at = dict(connection.execute("SELECT instant_text(started_at_us), started_at_us FROM verdict_current").fetchall())
    found = objects(connection, "verdicts", tables.Span(at[first], at[second]))
    assert {row["started_at"] for row in found} == {first}


def test_nothing_was_known_before_the_first_run(ledger: Ledger) -> None:
    """As of an instant before the first run every table is empty, and still well formed."""
    with reading(ledger[1], as_of_us=0) as (connection, _):
        assert [objects(connection, name) for name in COLUMNS] == [[]] * len(COLUMNS)
        assert written(connection, "problems", "csv").decode() == ",".join(PROBLEMS) + "\n"
        assert pq.read_table(io.BytesIO(written(connection, "verdicts", "parquet"))).column_names == VERDICTS


def test_frame_is_exact(connection: duckdb.DuckDBPyConnection) -> None:
    """The DataFrame has the same rows, amounts as Decimal and instants as UTC timestamps."""
    frame = tables.frame("verdicts", connection)
    rows = objects(connection, "verdicts")
    assert list(frame.columns) == VERDICTS
    assert [cost is None or str(cost.normalize()) for cost in frame["cost"]] == [
        row["cost"] is None or str(Decimal(str(row["cost"])).normalize()) for row in rows
    ]
    assert [instant_text(instant_us(at.to_pydatetime())) for at in frame["started_at"]] == [
        row["started_at"] for row in rows
    ]


@given(st.integers(-(10**18), 10**18))
def test_amounts_are_exact_text(nano: int) -> None:
    """SQL and Python write the same shortest decimal text for an amount."""
    assert macro("amount_text", nano) == text_from_nano(nano)


@pytest.mark.parametrize(("micro", "text"), [(0, "0"), (1_500_000, "1.5"), (-1, "-0.000001"), (10**30, "1" + "0" * 24)])
def test_usage_is_exact_text(micro: int, text: str) -> None:
    """Usage is written in whole units, with what six places can say."""
    assert macro("usage_text", micro) == text


ENGINE = duckdb.connect()
dialect.script(ENGINE, tables.PACKAGE, ["macros"])


def macro(name: str, value: int) -> object:
    """What one of the macros says about one HUGEINT."""
    call = duckdb.FunctionExpression(name, duckdb.ConstantExpression(value).cast("HUGEINT"))
    return ENGINE.sql("SELECT 1").select(call).fetchall()[0][0]


def test_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """A table that breaks off leaves the file of before, and nothing beside it."""
    path = tmp_path / "verdicts.csv"
    path.write_text("before", encoding="utf-8")
    with pytest.raises(TypeError), tables.replacing(path) as file:
        file.write("half of it breaks off")  # type: ignore[call-overload]
    assert path.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [path]
    with tables.replacing(path) as file:
        file.write(b"after")
    assert path.read_text(encoding="utf-8") == "after"


def test_unwritable_file_is_named(tmp_path: Path) -> None:
    """A file that cannot be written is an operating error that names it."""
    sink = tables.replacing(tmp_path / "nowhere" / "verdicts.csv")
    with pytest.raises(OperatingError, match=r"verdicts\.csv: cannot be written: No such file"):
        sink.__enter__()


def test_rows_come_in_batches(connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of many batches is the same table, and its progress is told."""
    whole = {layout: written(connection, "verdicts", layout) for layout in ("csv", "json")}
    monkeypatch.setattr(tables, "BATCH_ROWS", 7)
    seen: list[int] = []
    count = tables.write("verdicts", connection, io.BytesIO(), show=seen.append)
    assert seen[-1] == count
    assert seen == sorted(seen)
    assert {layout: written(connection, "verdicts", layout) for layout in ("csv", "json")} == whole
