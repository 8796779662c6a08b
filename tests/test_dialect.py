"""Values written into SQL come out of the engine as they went in, whatever they hold."""

import math

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.ledger import dialect

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**127), 2**127 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
)
HOSTILE = (
    "'", "''", "\\'", "a'; DROP TABLE run; --", "-- no comment", "$name", "$", "\0", "a\0'b", "/* no */", '"', "\n",
    "{}", "é\u2028", "$$", "E'\\x'",
)  # fmt: skip


@pytest.fixture(name="connection", scope="module")
def _connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def _back(connection: duckdb.DuckDBPyConnection, value: object) -> object:
    return dialect.execute(connection, "SELECT $name", {"name": value}).fetchall()[0][0]


@given(value=PLAIN)
@settings(max_examples=300, deadline=None)
def test_a_value_comes_back(connection: duckdb.DuckDBPyConnection, value: object) -> None:
    """What is written into a statement is what the engine reads."""
    assert _back(connection, value) == value


@given(values=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=4))
@settings(max_examples=100, deadline=None)
def test_a_list_of_texts_comes_back(connection: duckdb.DuckDBPyConnection, values: list[str]) -> None:
    """So is a list, whatever its texts hold."""
    assert _back(connection, values) == values


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """No quote, comment, name or NUL in a text ends it."""
    assert _back(connection, text) == text
    assert _back(connection, [text, text]) == [text, text]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0, 1e300, 0.1])
def test_numbers_that_are_hard_to_write(connection: duckdb.DuckDBPyConnection, value: float) -> None:
    """Doubles come back to the last bit, those that are no numbers too."""
    back = _back(connection, value)
    assert isinstance(back, float)
    assert repr(back) == repr(value)


@pytest.mark.parametrize("value", [5, -5, 2**31, 2**62, -(2**63), 2**100, True, None, "a", 1.5, ["a"]])
def test_types_are_those_of_a_bound_parameter(connection: duckdb.DuckDBPyConnection, value: object) -> None:
    """The engine takes a literal for the type that it would give a parameter."""
    written = dialect.execute(connection, "SELECT typeof($name)", {"name": value}).fetchall()
    assert written == connection.execute("SELECT typeof($1)", [value]).fetchall()


def test_a_minus_before_a_negative_number_is_no_comment(connection: duckdb.DuckDBPyConnection) -> None:
    """Two minus signs in a row would begin one."""
    assert dialect.execute(connection, "SELECT 1-$name", {"name": -2}).fetchall() == [(3,)]


def test_names_in_comments_and_quotes_are_left(connection: duckdb.DuckDBPyConnection) -> None:
    """Only what the engine would take for a parameter is one."""
    text = """SELECT '$other -- ''$other', "x$other", $name -- $other
    FROM (SELECT 1 AS "x$other")"""
    assert dialect.execute(connection, text, {"name": 2}).fetchall() == [("$other -- '$other", 1, 2)]


def test_a_name_without_a_value_is_refused(connection: duckdb.DuckDBPyConnection) -> None:
    """A forgotten value is an error here, with its name."""
    with pytest.raises(KeyError, match="name"):
        dialect.execute(connection, "SELECT $name", {"other": 1})


def test_a_value_of_another_kind_is_refused(connection: duckdb.DuckDBPyConnection) -> None:
    """Nothing is written that nobody thought of."""
    with pytest.raises(TypeError, match="bytes"):
        dialect.execute(connection, "SELECT $name", {"name": b"x"})
