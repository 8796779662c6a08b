"""The trickiest SQL steps, each on a few rows: what is carried, shared out, rounded, merged and settled."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.ledger import dialect
from tests.helpers import HOUR_US, T0_US, Desk, Row, at, problems, rows

COSTING = "collector.costing"
HOUR_MIN, DAY_MIN = 60, 1440
INT64_MAX = 2**63 - 1


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty ledger in memory."""
    with duckdb.connect() as opened:
        for setting in dialect.SETTINGS:
            opened.execute(setting)
        dialect.script(opened, "collector.ledger", ["schema", "macros"])
        yield opened


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty desk."""
    return Desk(tmp_path)


def _value(connection: duckdb.DuckDBPyConnection, text: str, *values: object) -> Any:
    return connection.execute(text, list(values)).fetchall()[0][0]


# Rounding ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        ("0.0000000005", 0), ("0.0000000015", 2), ("0.0000000025", 2), ("-0.0000000005", 0),
        ("-0.0000000015", -2),
        ("-0.0000000025", -2), ("0.000000000500000001", 1), ("0.000000000499999999", 0), ("1e-9", 1),
        ("2.5e-9", 2),
        ("3.5e-9", 4), ("0", 0), ("-0", 0), ("9223372036.854775807", INT64_MAX), ("0.123456789", 123_456_789),
        ("1e400", None), ("NaN", None), ("", None), ("one", None), ("Infinity", None), (None, None),
    ],
)  # fmt: skip
def test_text_becomes_nano_half_even(connection: duckdb.DuckDBPyConnection, text: str | None, nano: int | None) -> None:
    """Decimal text is whole nano-units, ties to even; what is no number is nothing."""
    assert _value(connection, "SELECT nano($1::VARCHAR)", text) == nano


@pytest.mark.parametrize(
    ("amount", "part", "whole"),
    [
        (5, 1, 2), (15, 1, 2), (25, 1, 2), (7, 3, 7), (10, 1, 3), (10, 2, 3), (0, 1, 3), (1, 0, 3), (3, 3, 3),
        (INT64_MAX, INT64_MAX, INT64_MAX), (INT64_MAX, INT64_MAX - 1, INT64_MAX), (9 * 10**18, 10**18 - 1,
        10**18),
    ],
)  # fmt: skip
def test_share_is_rounded_half_even(connection: duckdb.DuckDBPyConnection, amount: int, part: int, whole: int) -> None:
    """A share is amount x part / whole, ties to even, also where the product needs 128 bits."""
    share = _value(connection, "SELECT share_of($1::BIGINT, $2::BIGINT, $3::BIGINT)", amount, part, whole)
    assert share == round(Fraction(amount * part, whole))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, INT64_MAX), st.integers(0, 10**12), st.integers(1, 10**12))
def test_share_of_anything(connection: duckdb.DuckDBPyConnection, amount: int, part: int, whole: int) -> None:
    """The same for any amounts that are not negative."""
    share = _value(connection, "SELECT share_of($1::BIGINT, $2::BIGINT, $3::BIGINT)", amount, part, whole)
    assert share == round(Fraction(amount * part, whole))


_AMOUNTS = st.one_of(
    st.integers(0, 10**6), st.integers(0, 10**14), st.integers(4 * 10**18 - 2, 4 * 10**18 + 2), st.integers(0, 10**19)
)


@settings(max_examples=300, deadline=None)
@given(_AMOUNTS, st.one_of(st.integers(0, 10**4), st.integers(0, 10**18)), st.integers(1, 10**18))
def test_quotients_of_anything(connection: duckdb.DuckDBPyConnection, amount: int, part: int, whole: int) -> None:
    """Rounded half to even, or down: to the last unit, whether 64 bits have room, a double is near, or neither."""
    values = f"{amount}::HUGEINT, {part}::BIGINT, {whole}::BIGINT"
    exact = Fraction(amount * part, whole)
    assert _value(connection, f"SELECT share_of({values})") == round(exact)
    assert _value(connection, f"SELECT quotient_of({values})") == math.floor(exact)


@pytest.mark.parametrize("quotient", [1, 2, 3, 94906267, 10**15 - 1, 10**15, 10**15 + 1, 10**17])
@pytest.mark.parametrize("whole", [3, 10**6, 10**9 + 7, 2 * 10**12])
def test_quotients_beside_whole_numbers(connection: duckdb.DuckDBPyConnection, quotient: int, whole: int) -> None:
    """Where a double cannot tell on which side of a whole number a quotient lies, the exact product does."""
    for amount in range(quotient * whole - 2, quotient * whole + 3):
        assert _value(connection, f"SELECT quotient_of({amount}::HUGEINT, 1, {whole})") == amount // whole
        halved = f"SELECT share_of({amount}::HUGEINT, 1, {2 * whole})"
        assert _value(connection, halved) == round(Fraction(amount, 2 * whole))


def test_quotient_of_nothing_is_unknown(connection: duckdb.DuckDBPyConnection) -> None:
    """No whole, no quotient; an amount below zero is divided as the engine does it."""
    assert _value(connection, "SELECT quotient_of(1, 1, 0)") is None
    assert _value(connection, "SELECT share_of(1, 1, 0)") is None
    assert _value(connection, "SELECT share_of(NULL::BIGINT, 1, 2)") is None
    assert _value(connection, "SELECT quotient_of(-7, 1, 2)") == -3


# Prices -----------------------------------------------------------------------------------------------------


_COLUMNS = {
    "price_effective": (
        "provider", "model", "usage_kind", "price_class", "wanted_currency", "currency", "from_us",
        "input_tokens_above", "nano_per_million",
    ),
    "special_wanted": ("provider", "account", "completion_id", "finished_at_us", "special_no"),
    "special": (
        "provider", "account", "completion_id", "finished_at_us", "model", "price_class", "input_tokens",
        "cached_input_tokens", "output_tokens", "thinking_tokens", "images",
    ),
    "account_currency": ("provider", "account", "currency"),
}  # fmt: skip
_TEXTS = (
    "provider", "account", "completion_id", "model", "usage_kind", "price_class", "wanted_currency", "currency",
)  # fmt: skip
_TYPES = dict.fromkeys(_TEXTS, pa.string())
_DATED = st.dictionaries(
    st.tuples(st.integers(0, 3), st.sampled_from([0, 200, 1000])), st.integers(1, 10**9), max_size=6
)


@settings(max_examples=100, deadline=None)
@given(_DATED, st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1300)), min_size=1, max_size=6))
def test_the_latest_price_that_fits_is_taken(
    connection: duckdb.DuckDBPyConnection, dated: dict[tuple[int, int], int], calls: list[tuple[int, int]]
) -> None:
    """Of the prices that had begun and whose threshold the input passes: the latest, of these the highest threshold."""
    same = {"provider": "p", "model": "m", "usage_kind": "input", "price_class": "", "wanted_currency": "EUR"}
    prices = [
        {**same, "currency": "EUR", "from_us": since, "input_tokens_above": above, "nano_per_million": nano}
        for (since, above), nano in dated.items()
    ]
    wanted = [
        {"provider": "p", "account": "a", "completion_id": f"c{no}", "finished_at_us": at_us, "special_no": no}
        for no, (at_us, _) in enumerate(calls)
    ]
    nothing = dict.fromkeys(["cached_input_tokens", "output_tokens", "thinking_tokens", "images"])
    work = [
        {**row, **nothing, "model": "m", "input_tokens": tokens, "price_class": None}
        for row, (_, tokens) in zip(wanted, calls, strict=True)
    ]
    given = {"price_effective": prices, "special_wanted": wanted, "special": work, "account_currency": []}
    for name, rows_of in given.items():
        schema = pa.schema([(column, _TYPES.get(column, pa.int64())) for column in _COLUMNS[name]])
        connection.register(name, pa.Table.from_pylist(rows_of, schema=schema))
    try:
        dialect.run(connection, COSTING, "special_leaf", {"currency": "EUR"})
        found = connection.execute("SELECT special_no, nano_per_million FROM special_leaf").fetchall()
    finally:
        for name in given:
            connection.unregister(name)
    expected = {}
    for no, (at_us, tokens) in enumerate(calls):
        fitting = [key for key in dated if key[0] <= at_us and (key[1] == 0 or tokens > key[1])]
        if tokens:
            expected[no] = dated[max(fitting)] if fitting else None
    assert dict(found) == expected


# Sharing out ------------------------------------------------------------------------------------------------


def _shares(
    connection: duckdb.DuckDBPyConnection,
    billed_nano: int,
    billed_micro: int,
    logged_micro: int,
    own: Mapping[str, int],
) -> dict[str, int]:
    """Part (a completion's id, `rest` or `unattributed`) -> its share of one settled bucket."""
    connection.register("full_bucket", pa.table({
        "bucket_no": [1], "provider": ["p"], "account": ["a"], "usage_kind": ["output"], "settled": [True],
        "shareable": [True], "is_context": [False], "billed_nano": [billed_nano], "billed_micro": [billed_micro],
        "logged_micro": [logged_micro],
    }))  # fmt: skip
    schema = pa.schema([
        ("bucket_no", pa.int64()), ("provider", pa.string()), ("account", pa.string()), ("completion_id",
        pa.string()),
        ("finished_at_us", pa.int64()), ("verdict", pa.string()), ("lost_part", pa.int64()), ("lost_whole",
        pa.int64()),
        ("usage_kind", pa.string()), ("micro", pa.int64()),
    ])  # fmt: skip
    used = [
        {
            "bucket_no": 1, "provider": "p", "account": "a", "completion_id": name, "finished_at_us": 1,
            "verdict": "orphaned", "lost_part": 1, "lost_whole": 1, "usage_kind": "output", "micro": micro,
        }
        for name, micro in own.items()
    ]  # fmt: skip
    connection.register("special_use", pa.Table.from_pylist(used, schema=schema))
    dialect.run(connection, COSTING, "bucket_part")
    found = connection.execute("SELECT completion_id, verdict, share_nano FROM bucket_part").fetchall()
    return {name or verdict: int(nano) for name, verdict, nano in found}


def test_ties_go_to_the_first(connection: duckdb.DuckDBPyConnection) -> None:
    """Ten nano-units in three equal parts are 4, 3 and 3: the odd one goes to the first by id."""
    shares = _shares(connection, 10, 9, 9, {"c": 3, "a": 3, "b": 3})
    assert shares == {"a": 4, "b": 3, "c": 3, "rest": 0, "unattributed": 0}


def test_largest_remainder_is_served_first(connection: duckdb.DuckDBPyConnection) -> None:
    """100 in parts of 1, 2 and 3 of 6 (16.67, 33.33, 50): the first lost most by rounding down."""
    shares = _shares(connection, 100, 6, 6, {"a": 1, "b": 2})
    assert shares == {"a": 17, "b": 33, "rest": 50, "unattributed": 0}


def test_more_billed_than_logged_is_unattributed(connection: duckdb.DuckDBPyConnection) -> None:
    """What no log showed keeps its part of the cost."""
    assert _shares(connection, 1000, 10, 4, {"a": 1}) == {"a": 100, "rest": 300, "unattributed": 600}


def test_more_logged_than_billed_shares_the_cost(connection: duckdb.DuckDBPyConnection) -> None:
    """Where the bill shows less than the logs, all of the cost is shared by logged usage."""
    assert _shares(connection, 1000, 4, 10, {"a": 1}) == {"a": 100, "rest": 900, "unattributed": 0}


def test_cost_of_zero_is_shared_as_zero(connection: duckdb.DuckDBPyConnection) -> None:
    """Free usage: every part is zero."""
    assert set(_shares(connection, 0, 10, 7, {"a": 1, "b": 3}).values()) == {0}


@pytest.mark.parametrize("billed_micro", [10**6, 10**15, 10**15 + 10**6, 10**18])
def test_largest_amount_is_shared_exactly(connection: duckdb.DuckDBPyConnection, billed_micro: int) -> None:
    """The largest cost that a ledger holds, over much usage, loses no nano-unit and overflows nowhere."""
    unit = billed_micro // 10**6 * 10**6
    shares = _shares(connection, INT64_MAX, billed_micro, billed_micro, {"a": unit // 2, "b": unit // 4})
    assert sum(shares.values()) == INT64_MAX
    assert abs(shares["a"] - INT64_MAX * (unit // 2) / billed_micro) <= 2048  # as near as a double can tell


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 10**16),
    st.integers(1, 10**9),
    st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(1, 10**6), max_size=8),
    st.integers(0, 10**7),
)
def test_shares_add_up(
    connection: duckdb.DuckDBPyConnection, billed_nano: int, billed_micro: int, own: dict[str, int], rest: int
) -> None:
    """Any bucket: the parts add up to its cost, and none is a whole nano-unit off its exact share."""
    logged = sum(own.values()) + rest
    shares = _shares(connection, billed_nano, billed_micro, logged, own)
    assert sum(shares.values()) == billed_nano
    whole = max(billed_micro, logged)
    exact = {**own, "rest": rest, "unattributed": whole - logged}
    assert all(abs(shares[name] - Fraction(billed_nano * micro, whole)) < 1 for name, micro in exact.items())


# Carried between periods ------------------------------------------------------------------------------------


def _bucket(desk: Desk, hour: int, kind: str = "output") -> Row:
    """The bucket of a usage kind that begins at `hour`."""
    start_us = T0_US + hour * HOUR_US
    (row,) = [
        row for row in rows(desk.config, "bucket_current")
        if (row["usage_start_us"], row["usage_kind"]) == (start_us, kind)
    ]  # fmt: skip
    return row


def _row(desk: Desk, call_id: str) -> Row:
    (row,) = [row for row in rows(desk.config, "verdict_current") if row["call_id"] == call_id]
    return row


def _crossing(desk: Desk, seconds: float, **more: Any) -> None:
    """Two lost calls of 2000 tokens: `a` took `seconds` and ends just inside hour 1, `b` ends mid-hour."""
    for call_id, minute, took_s in (("a", 60 + 5 / 60, seconds), ("b", 90.0, 10.0)):
        desk.started(call_id, minute - took_s / 60)
        desk.ended(call_id, minute)
        usage = {"input_tokens": 0, "output_tokens": 2000}
        desk.completion(call_id, minute, seconds=took_s, usage=usage, **(more if call_id == "a" else {}))


def test_usage_is_carried_to_the_period_it_began_in(desk: Desk) -> None:
    """A bill by start: the call that crosses the border costs what the earlier hour's usage costs."""
    _crossing(desk, seconds=10)
    desk.bill("Output", 0, 2000, "0.01")
    desk.bill("Output", 1, 2000, "0.005")
    desk.run(DAY_MIN)
    assert [(_bucket(desk, h)["logged_micro"], _bucket(desk, h)["orphaned_nano"]) for h in (0, 1)] == [
        (2_000_000_000, 10_000_000), (2_000_000_000, 5_000_000),
    ]  # fmt: skip
    assert [_bucket(desk, hour)["settled"] for hour in (0, 1)] == [True, True]
    assert [(_row(desk, c)["cost_nano"], _row(desk, c)["basis"]) for c in "ab"] == [
        (10_000_000, "billed"), (5_000_000, "billed"),
    ]  # fmt: skip


def test_only_the_difference_is_carried(desk: Desk) -> None:
    """As much as the earlier hour was billed beyond its logs, and no more: the call is paid in both hours."""
    _crossing(desk, seconds=10)
    desk.bill("Output", 0, 500, "0.0025")
    desk.bill("Output", 1, 3500, "0.0035")
    desk.run(DAY_MIN)
    assert [_bucket(desk, hour)["logged_micro"] for hour in (0, 1)] == [500_000_000, 3_500_000_000]
    assert _row(desk, "a")["cost_nano"] == 2_500_000 + 1_500_000
    assert _row(desk, "b")["cost_nano"] == 2_000_000


def test_nothing_is_carried_without_a_call_that_crosses(desk: Desk) -> None:
    """Hours that differ from the logs the other way round stay so where no call touches both."""
    _crossing(desk, seconds=4)
    desk.bill("Output", 0, 2000, "0.01")
    desk.bill("Output", 1, 2000, "0.005")
    desk.run(10 * DAY_MIN)
    desk.bill("Output", 5, 1, "0", export_time=at(9 * DAY_MIN))
    desk.run(11 * DAY_MIN)
    assert (_bucket(desk, 0)["unattributed_nano"], _bucket(desk, 0)["settled"]) == (10_000_000, True)
    assert (_bucket(desk, 1)["orphaned_nano"], _bucket(desk, 1)["logged_micro"]) == (5_000_000, 4_000_000_000)
    assert [_row(desk, call_id)["cost_nano"] for call_id in "ab"] == [2_500_000, 2_500_000]


def test_provisioned_work_is_outside(desk: Desk) -> None:
    """Work on provisioned throughput costs nothing and is no logged usage; nothing of it is carried."""
    _crossing(desk, seconds=10, price_class="provisioned")
    desk.bill("Output", 0, 2000, "0.01")
    desk.bill("Output", 1, 2000, "0.005")
    desk.run(DAY_MIN)
    assert _bucket(desk, 1)["logged_micro"] == 2_000_000_000
    assert (_row(desk, "a")["cost_nano"], _row(desk, "b")["cost_nano"]) == (0, 5_000_000)


def test_carrying_outlives_changes_next_door(desk: Desk) -> None:
    """What hour 1 gave back to hour 0 stays given when only hour 2 is billed anew."""
    _crossing(desk, seconds=10)
    _lost(desk, "c", 150, tokens=2000)
    for hour, cost in ((0, "0.010"), (1, "0.008"), (2, "0.005")):
        desk.bill("Output", hour, 2000, cost)
    desk.run(DAY_MIN)
    assert [_row(desk, call_id)["cost_nano"] for call_id in "abc"] == [10_000_000, 8_000_000, 5_000_000]
    desk.bill("Output", 2, 0, "0.001", file="billing/later.jsonl")
    desk.run(2 * DAY_MIN)
    assert [_row(desk, call_id)["cost_nano"] for call_id in "abc"] == [10_000_000, 8_000_000, 6_000_000]
    assert {_row(desk, call_id)["basis"] for call_id in "abc"} == {"billed"}
    used: dict[str, int] = {}
    for share in rows(desk.config, "bucket_share"):
        used[share["completion_id"]] = used.get(share["completion_id"], 0) + share["usage_micro"]
    assert set(used.values()) == {2_000_000_000}


def _lost(desk: Desk, call_id: str, minute: float, *, tokens: int, thinking: int = 0, **more: Any) -> None:
    """A call lost whole, of so much output and no input, that took ten seconds."""
    usage = {"input_tokens": 0, "output_tokens": tokens, "thinking_tokens": thinking}
    desk.started(call_id, minute - 10 / 60)
    desk.ended(call_id, minute)
    desk.completion(call_id, minute, usage=usage, **more)


# Settled ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("billed", "settled_at_once"), [(1000, True), (980, True), (979, False), (2000, True)])
def test_settled_at_98_percent_of_the_logs(desk: Desk, billed: int, settled_at_once: bool) -> None:
    """With 98 % of the logged usage billed a bucket is settled; with less, 48 hours of bill later."""
    _lost(desk, "a", 30, tokens=1000)
    desk.bill("Output", 0, billed, "0.01", export_time=at(60))
    desk.run(DAY_MIN)
    assert (_bucket(desk, 0)["settled"], _row(desk, "a")["basis"]) == (
        settled_at_once, "billed" if settled_at_once else "estimated",
    )  # fmt: skip
    desk.bill("Output", 99, 1, "0", export_time=at(60 + 48 * HOUR_MIN - 1))
    desk.run(5 * DAY_MIN)
    assert _bucket(desk, 0)["settled"] is settled_at_once
    desk.bill("Output", 98, 1, "0", export_time=at(60 + 48 * HOUR_MIN))
    desk.run(6 * DAY_MIN)
    assert (_bucket(desk, 0)["settled"], _row(desk, "a")["basis"]) == (True, "billed")


def test_period_without_end_in_the_logs_is_not_settled(desk: Desk) -> None:
    """A bucket whose end the completion log has not been read past is not settled, however much is billed."""
    _lost(desk, "a", 30, tokens=1000)
    desk.bill("Output", 0, 1000, "0.01", export_time=at(40))
    desk.run(59)
    assert (_bucket(desk, 0)["settled"], _bucket(desk, 0)["unattributed_nano"]) == (False, 10_000_000)
    desk.run(60)
    assert _bucket(desk, 0)["settled"] is True


def test_no_line_is_no_cost_of_zero(desk: Desk) -> None:
    """Logged usage without any billing line stays estimated, for however long."""
    _lost(desk, "a", 30, tokens=1000)
    desk.bill("Output", 99, 1, "0", export_time=at(30 * DAY_MIN))
    desk.run(60 * DAY_MIN)
    assert (_bucket(desk, 0)["settled"], _bucket(desk, 0)["billed_nano"]) == (False, None)
    assert (_row(desk, "a")["basis"], _row(desk, "a")["cost_nano"]) == ("estimated", 2_500_000)


@pytest.mark.parametrize(("billed", "said"), [(899, 1), (900, 0)])
def test_settled_below_nine_tenths_is_a_problem(desk: Desk, billed: int, said: int) -> None:
    """Settled with less than nine tenths of the logs: a problem, once, and the estimate is the high bound."""
    _lost(desk, "a", 30, tokens=1000)
    desk.bill("Output", 0, billed, "0.001", export_time=at(60 + 48 * HOUR_MIN))
    desk.run(5 * DAY_MIN)
    desk.run(6 * DAY_MIN)
    row = _row(desk, "a")
    assert (row["basis"], row["orphaned_nano"]) == ("billed", 1_000_000)
    assert row["orphaned_high_nano"] == (2_500_000 if said else 1_000_000)
    assert problems(desk.config)["bill", "billed less than logged"] == said


# Usage kinds, price classes, periods ------------------------------------------------------------------------


def test_thinking_is_output_where_the_bill_has_no_thinking(desk: Desk) -> None:
    """A bill that sells thinking as output: both are one bucket, and the call pays for both."""
    _lost(desk, "a", 30, tokens=600, thinking=400)
    _lost(desk, "b", 31, tokens=1000)
    desk.bill("Output", 0, 2000, "0.01")
    desk.run(DAY_MIN)
    assert _bucket(desk, 0)["logged_micro"] == 2_000_000_000
    assert [_row(desk, call_id)["cost_nano"] for call_id in "ab"] == [5_000_000, 5_000_000]
    assert _row(desk, "a")["basis"] == "billed"


def test_thinking_apart_where_the_bill_has_it(desk: Desk) -> None:
    """A bill with a thinking SKU: two buckets; hours drawn before its first row are drawn again."""
    _lost(desk, "a", 30, tokens=600, thinking=400)
    desk.bill("Output", 0, 600, "0.006")
    desk.run(DAY_MIN)
    assert _row(desk, "a")["basis"] == "estimated"
    desk.bill("Thinking", 0, 400, "0.001", file="billing/b.jsonl")
    desk.run(2 * DAY_MIN)
    assert {kind: _bucket(desk, 0, kind)["orphaned_nano"] for kind in ("output", "thinking")} == {
        "output": 6_000_000, "thinking": 1_000_000,
    }  # fmt: skip
    assert (_row(desk, "a")["basis"], _row(desk, "a")["cost_nano"]) == ("billed", 7_000_000)


def test_hour_inside_a_day_goes_to_the_shorter_period(desk: Desk) -> None:
    """Usage belongs to the shortest charge period of the bill that covers it."""
    _lost(desk, "a", 30, tokens=1000)
    _lost(desk, "b", 90, tokens=1000)
    desk.bill("Output", 0, 1000, "0.01", usage_end_time=at(DAY_MIN))
    desk.bill("Output", 1, 1000, "0.004")
    desk.run(2 * DAY_MIN)
    assert [_row(desk, call_id)["cost_nano"] for call_id in "ab"] == [10_000_000, 4_000_000]
    assert [_bucket(desk, hour)["logged_micro"] for hour in (0, 1)] == [10**9, 10**9]


def test_day_is_one_bucket(desk: Desk) -> None:
    """A daily bill has one bucket a day, also where its logs come in several runs."""
    _lost(desk, "a", 30, tokens=1000)
    desk.bill("Output", 0, 2000, "0.01", usage_end_time=at(DAY_MIN))
    desk.run(10 * HOUR_MIN)
    _lost(desk, "b", 20 * HOUR_MIN, tokens=1000)
    desk.run(DAY_MIN)
    (bucket,) = rows(desk.config, "bucket_current")
    assert (bucket["logged_micro"], bucket["orphaned_nano"], bucket["settled"]) == (
        2 * 10**9,
        10_000_000,
        True,
    )
    assert [_row(desk, call_id)["cost_nano"] for call_id in "ab"] == [5_000_000, 5_000_000]


LOG_COLUMNS = ("price_class", "logged_micro")
BILL_COLUMNS = ("price_class", "currency", "billed_micro", "billed_nano")


def _plain(
    connection: duckdb.DuckDBPyConnection,
    logged: Sequence[tuple[Any, ...]],
    billed: Sequence[tuple[Any, ...]],
) -> list[tuple[Any, ...]]:
    """The buckets of one period (class, currency, billed, cost, logged, unit costs), from what was told."""
    key = {
        "provider": "p", "account": "a", "model": "m", "usage_kind": "output", "usage_start_us": 0,
        "usage_end_us": HOUR_US,
    }  # fmt: skip
    kinds = [(name, pa.int64() if name.endswith("_us") else pa.string()) for name in key]
    log_schema = pa.schema([*kinds, ("price_class", pa.string()), ("logged_micro", pa.int64())])
    bill_schema = pa.schema([
        *kinds, ("price_class", pa.string()), ("currency", pa.string()), ("billed_micro", pa.int64()),
        ("billed_nano", pa.int64()), ("usage_known", pa.bool_()),
    ])  # fmt: skip
    log_rows = [key | dict(zip(LOG_COLUMNS, row, strict=True)) for row in logged]
    bill_rows = [key | dict(zip(BILL_COLUMNS, row, strict=True)) | {"usage_known": True} for row in billed]
    connection.register("log_bucket", pa.Table.from_pylist(log_rows, schema=log_schema))
    connection.register("bill_bucket", pa.Table.from_pylist(bill_rows, schema=bill_schema))
    for step in ("class_rule", "plain_bucket"):
        dialect.run(connection, COSTING, step)
    found = connection.execute(
        "SELECT price_class, currency, billed_micro, billed_nano, logged_micro, unit_low_nano, unit_high_nano"
        " FROM plain_bucket ORDER BY ALL NULLS FIRST"
    )
    return [tuple(None if value is None else value if isinstance(value, str) else int(value) for value in row)
            for row in found.fetchall()]  # fmt: skip


def test_classes_stand_apart_where_both_sides_name_them(connection: duckdb.DuckDBPyConnection) -> None:
    """Log and bill both name every class: a bucket each, also for a class that only one of them has."""
    found = _plain(connection, [("flex", 5), ("long", 7)], [("flex", "USD", 5, 50), ("batch", "USD", 1, 2)])
    assert found == [
        ("batch", "USD", 1, 2, 0, None, None), ("flex", "USD", 5, 50, 5, None, None),
        ("long", None, None, None, 7, None, None),
    ]  # fmt: skip


@pytest.mark.parametrize("logged", [[(None, 12)], [("flex", 5), (None, 7)]])
def test_classes_are_merged_where_the_log_does_not_know(
    connection: duckdb.DuckDBPyConnection, logged: list[tuple[Any, ...]]
) -> None:
    """One unknown class on a side merges all, and the bounds span the dearest and the cheapest unit."""
    found = _plain(connection, logged, [("flex", "USD", 5_000_000, 50), ("batch", "USD", 7_000_000, 21)])
    assert found == [(None, "USD", 12_000_000, 71, 12, 3, 10)]


def test_classes_where_only_one_side_says_anything(connection: duckdb.DuckDBPyConnection) -> None:
    """Named classes stand apart before the other side has come; an unknown one among them merges all."""
    assert _plain(connection, [], [("batch", "USD", 5, 50), ("flex", "USD", 1, 2)]) == [
        ("batch", "USD", 5, 50, 0, None, None), ("flex", "USD", 1, 2, 0, None, None),
    ]  # fmt: skip
    assert _plain(connection, [("batch", 3), ("flex", 4)], []) == [
        ("batch", None, None, None, 3, None, None), ("flex", None, None, None, 4, None, None),
    ]  # fmt: skip
    assert _plain(connection, [(None, 3), ("flex", 4)], []) == [(None, None, None, None, 7, None, None)]


def test_two_currencies_in_one_bucket(connection: duckdb.DuckDBPyConnection) -> None:
    """Side by side, nothing converted: the logged usage goes to the currency with more billed usage, once."""
    found = _plain(connection, [(None, 9)], [(None, "USD", 2, 20), (None, "EUR", 8, 60)])
    assert found == [(None, "EUR", 8, 60, 9, None, None), (None, "USD", 2, 20, 0, None, None)]


def test_unit_of_another_kind_is_unattributed(desk: Desk) -> None:
    """Usage billed in a unit that the logs do not count is not shared out, and a problem says so."""
    _lost(desk, "a", 30, tokens=1000)
    desk.bill("Output", 0, 1000, "0.01", usage={"amount": 1000, "unit": "seconds"}, export_time=at(90 * HOUR_MIN))
    desk.run(10 * DAY_MIN)
    bucket = _bucket(desk, 0)
    assert (bucket["settled"], bucket["unattributed_nano"], bucket["orphaned_nano"]) == (True, 10_000_000, 0)
    assert problems(desk.config)["bill", "cost not shared out"] == 1
    assert _row(desk, "a")["basis"] == "estimated"


def test_periods_begin_where_the_bill_says() -> None:
    """The instants of this file are the ones they claim to be."""
    assert datetime.fromtimestamp(T0_US / 1e6, UTC).isoformat() == "2026-11-20T00:00:00+00:00"


# What was delivered -------------------------------------------------------------------------------------------


def _cut_off(minute: float, **more: Any) -> Row:
    """An nginx line of a stream of 10 s that ended at `minute` and was not sent to its end."""
    msec = (T0_US + round(minute * 60_000_000)) / 1_000_000
    return {
        "msec": f"{msec:.3f}", "request_id": "r1", "request_method": "POST", "request_time": "10.100",
        "request_uri": "/v1/models/acme-chat-1:streamGenerateContent", "status": "200", "bytes_sent": "1000",
        "request_completion": "", "upstream_status": "200", "upstream_header_time": "1.0",
        "upstream_response_time": "10.0", "upstream_bytes_received": "900", **more,
    }  # fmt: skip


@pytest.mark.parametrize("late_seconds", [-0.001, 0, 0.05, 1.9, 60])
def test_a_proxy_that_saw_the_answer_cut_off_has_not_delivered_it(late_seconds: float, desk: Desk) -> None:
    """By time all was there before its line ended; a cut-off answer lacks a token at least, and is orphaned."""
    desk.put("nginx/a.json", _cut_off(1 + late_seconds / 60))
    desk.completion("r1", 1)
    desk.run(10)
    (row,) = rows(desk.config, "verdict_current")
    assert (row["verdict"], row["share_evidence"], row["evidence"]) == ("orphaned", "time", "exact")
    assert 0 < row["orphaned_low_nano"] <= row["orphaned_nano"]
    if late_seconds >= 0:
        assert row["orphaned_nano"] == 2500  # one token of 2000


def test_a_client_that_left_when_all_was_there_has_it(desk: Desk) -> None:
    """A client's own abort after the end is another matter: by time it had the whole stream."""
    desk.started("c1", 0.8)
    desk.ended("c1", 1.01, bytes_received=None, output_tokens_received=None)
    desk.completion("c1", 1)
    desk.run(10)
    (row,) = rows(desk.config, "verdict_current")
    assert (row["verdict"], row["share_evidence"]) == ("delivered", "time")
