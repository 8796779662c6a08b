"""A server on loopback, and a watch that is switched off again afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import orphaned_inference
from orphaned_inference.calls import OPEN, STATE
from tests.client.server import Service, serving


@pytest.fixture(scope="module")
def shared_service() -> Iterator[Service]:
    """One server a module: its behaviours do not depend on each other."""
    with serving() as service:
        yield service


@pytest.fixture
def service(shared_service: Service) -> Service:
    """The module's server, with nothing on record."""
    shared_service.requests.clear()
    shared_service.seen.clear()
    shared_service.jobs.clear()
    shared_service.drops, shared_service.is_heard, shared_service.refuses = 0, False, False
    while shared_service.arrived.acquire(blocking=False):
        pass
    return shared_service


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The log of a watch over this process. The hooks stay in afterwards, and see nothing."""
    monkeypatch.setenv("ORPHANED_INFERENCE_DEBUG", "1")
    path = tmp_path / "calls.jsonl"
    orphaned_inference.watch(log=path, service="tests")
    yield path
    STATE.watch = None
    OPEN.clear()
