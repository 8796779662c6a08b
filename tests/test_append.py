"""Lines on their way in: those set aside lose their text and nothing else, and nothing stays switched."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from collector.ledger import append, dialect
from collector.ledger.append import _stand_again, _without_texts


def lines(*chunks: list[str]) -> pa.Table:
    """Lines in these chunks, with their numbers; each chunk is a slice of a larger one."""
    batches = []
    first = 1
    for texts in chunks:
        whole = pa.array(["before", "before too", *texts, "behind"])
        numbers = pa.array(range(first, first + len(texts)), pa.int64())
        batches.append(pa.record_batch([numbers, whole.slice(2, len(texts))], schema=append_schema()))
        first += len(texts)
    return append.with_file(pa.Table.from_batches(batches), 7)


def append_schema() -> pa.Schema:
    """Of one piece of a file."""
    return pa.schema([("line_no", pa.int64()), ("line", pa.string())])


@pytest.mark.parametrize("out", [[], [0], [3], [1, 4, 8], list(range(9))])
def test_lines_set_aside_lose_their_text(out: list[int]) -> None:
    """Only those, whatever chunk they stand in; the texts of the others are where they were."""
    table = lines(["a", "b", "c"], ["d"], ["e", "\u00e9", "g", "h", "i"])
    is_out = np.isin(np.arange(table.num_rows), out)
    left = _without_texts(table, is_out)
    expected = [None if gone else text for gone, text in zip(is_out, table["line"].to_pylist(), strict=True)]
    assert left["line"].to_pylist() == expected
    assert left["line_no"].equals(table["line_no"])
    assert left["file_id"].equals(table["file_id"])
    for before, after in zip(table["line"].chunks, left["line"].chunks, strict=True):
        assert after.buffers()[2].address == before.buffers()[2].address
    connection = duckdb.connect()
    connection.register("line_batch", left)
    assert connection.execute("SELECT line FROM line_batch ORDER BY line_no").fetchall() == [(x,) for x in expected]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["a"], [False]),
        (["a", "b", "c"], [False, False, False]),
        (["a", "b", "a", "a", "c", "b"], [True, True, True, True, False, True]),
    ],
)
def test_who_stands_again(texts: list[str], expected: list[bool]) -> None:
    """Every line whose text stands more than once, the first of them too."""
    connection = duckdb.connect()
    connection.register("line_batch", lines(texts))
    assert _stand_again(connection).tolist() == expected


def test_order_is_kept_again_after_an_error() -> None:
    """Whatever happens meanwhile."""
    connection = duckdb.connect()
    with pytest.raises(ZeroDivisionError):
        fail_unordered(connection)
    assert keeps_order(connection)


def keeps_order(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether rows stay in their order."""
    return bool(connection.execute("SELECT current_setting('preserve_insertion_order')").fetchall()[0][0])


def fail_unordered(connection: duckdb.DuckDBPyConnection) -> None:
    """Raises ZeroDivisionError where order does not matter."""
    with dialect.unordered(connection):
        assert not keeps_order(connection)
        raise ZeroDivisionError
