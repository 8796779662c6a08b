"""What holds for all tests. Nothing is imported here that the client's tests do without: they run on older Pythons."""

import sys
from collections.abc import Iterator

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test by far goes first: begun last, it is waited for by every worker."""
    items.sort(key=lambda item: "test_dashboard_viewer" not in item.nodeid)


@pytest.fixture(scope="session", autouse=True)
def _one_thread_a_ledger() -> Iterator[None]:
    """Ledgers that a test opens in its own process have one thread.

    They hold some thousand rows, over which further threads wait for each other: that is a fifth of all their work.
    Where a test starts the program, it has its usual threads.
    """
    dialect = sys.modules.get("collector.ledger.dialect")
    with pytest.MonkeyPatch.context() as patch:
        if dialect:
            patch.setattr(dialect, "SETTINGS", (*dialect.SETTINGS, "SET threads = 1"))
        yield
