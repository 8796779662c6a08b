"""The ledger's file: what it is written as, and what becomes of one that was written otherwise."""

import time
from pathlib import Path

import duckdb

from collector.ledger import store


def _storage_version(path: Path) -> str:
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{path}' AS held (READ_ONLY)")
        rows = connection.execute("SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = 'held'")
        return str(rows.fetchall()[0][0])


def _note(path: Path, name: str) -> list[tuple[str, int]]:
    """Put one figure into the ledger, and return all that it holds."""
    with store.opened(path, wait_s=1, sleep=time.sleep) as connection:
        connection.execute("INSERT INTO progress VALUES ($1, 1)", [name])
        return connection.execute("SELECT name, value FROM progress ORDER BY name").fetchall()


def test_a_ledger_of_an_older_storage_version_is_taken_over(tmp_path: Path) -> None:
    """What it held stays, and from the first run on it is written in the version of every other ledger."""
    old, new = tmp_path / "old.duckdb", tmp_path / "new.duckdb"
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{old}' AS held (ROW_GROUP_SIZE 30720, STORAGE_VERSION 'v1.0.0')")
        connection.execute("CREATE TABLE held.progress (name VARCHAR, value BIGINT)")
        connection.execute("INSERT INTO held.progress VALUES ('a', 1)")
    assert _storage_version(old).startswith("v1.0.0")
    assert _note(old, "b") == [("a", 1), ("b", 1)]
    assert _note(old, "c") == [("a", 1), ("b", 1), ("c", 1)]
    _note(new, "a")
    assert _storage_version(old) == _storage_version(new)
    assert _storage_version(new).startswith("v1.4.0")
