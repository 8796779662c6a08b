"""What holds for all tests."""

from collections.abc import Iterator

import pytest

from collector.ledger import dialect


@pytest.fixture(scope="session", autouse=True)
def _one_thread_a_ledger() -> Iterator[None]:
    """Ledgers that a test opens in its own process have one thread.

    They hold some thousand rows, over which further threads wait for each other: that is a quarter of all their work.
    Where a test starts the program, it has its usual threads.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialect, "SETTINGS", (*dialect.SETTINGS, "SET threads = 1"))
        yield
