"""The ledger's file: what it is written as, and what becomes of one that was written otherwise."""

import time
from pathlib import Path

import duckdb

from collector.ledger import dialect, store


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


def _log_bytes(path: Path) -> int:
    """The size of the engine's write-ahead log beside the ledger."""
    log = path.with_name(f"{path.name}.wal")
    return log.stat().st_size if log.exists() else 0


def test_a_checkpoint_alone_commits(tmp_path: Path) -> None:
    """What is committed by a checkpoint stands, and nothing of it has gone through the log."""
    path = tmp_path / "ledger.duckdb"
    put = "INSERT INTO progress SELECT i::VARCHAR, i FROM range(20000) AS t (i)"
    with store.opened(path, wait_s=1, sleep=time.sleep) as connection:
        connection.begin()
        connection.execute(put)
        connection.commit()
        assert _log_bytes(path) > 100_000
        connection.begin()
        connection.execute(put)
        dialect.checkpointed(connection)
        assert _log_bytes(path) == 0
    assert len(_note(path, "a")) == 40_001


def test_what_is_deleted_leaves_the_ledger(tmp_path: Path) -> None:
    """A state whose rows are drawn again, run after run, but for a few, takes no more room than a few of its states."""
    path = tmp_path / "ledger.duckdb"
    for run in range(12):
        with store.opened(path, wait_s=1, sleep=time.sleep) as connection:
            connection.execute("DELETE FROM progress WHERE value % 1000 > 0")
            connection.execute("INSERT INTO progress SELECT $1, i FROM range(40000) AS t (i)", [str(run)])
    with duckdb.connect(str(path)) as connection:
        held = connection.execute(
            "SELECT sum(count) FROM pragma_storage_info('progress') "
            "WHERE column_name = 'value' AND segment_type = 'BIGINT'"
        ).fetchall()
    assert held[0][0] <= 4 * 40_000
