"""The client's lines in the collector: every line a record, and an abort is found as what it was."""

import signal
from datetime import datetime
from pathlib import Path

import pytest

from tests.client import programs, ways
from tests.client.logs import lines
from tests.client.server import Service
from tests.helpers import Desk, problems, rows, run, source_counts, verdicts

MINUTE_US = 60_000_000


def now_us(log: Path) -> int:
    """The instant of the last line."""
    return round(datetime.fromisoformat(lines(log)[-1]["at"]).timestamp() * 1_000_000)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A collector that reads the client's log."""
    return Desk(tmp_path / "desk")


def test_every_line_is_a_record(desk: Desk, service: Service, log: Path, tmp_path: Path) -> None:
    """Calls of all kinds and ends, from real libraries: the collector takes each line, and has no problem with any."""
    for name in ways.NAMES:
        ways.ask(name, service.url, "quick")
    for name in ("httpx", "requests", "genai", "anthropic"):
        ways.stream(name, service.url, "slow", take=2)
    with pytest.raises(Exception):  # noqa: B017 - httpx's own
        ways.ask("httpx", service.url, "hang", seconds=0.2)
    written = lines(log)
    desk.put("client/a.jsonl", log.read_text(encoding="utf-8").strip())
    run(desk.config, now_us(log) + 2 * MINUTE_US)
    assert source_counts(desk.config, "app") == {"new": len(written), "duplicate": 0, "problem": 0, "ignored": 0}
    assert not [kind for source, kind in problems(desk.config) if source == "app"]
    found = {row["reason"] for row in verdicts(desk.config)}
    assert found == {"cancelled", "timeout"}


def test_killed_and_interrupted(desk: Desk, service: Service, tmp_path: Path) -> None:
    """A call whose process was killed has vanished after the horizon; one that Ctrl-C ended was interrupted."""
    script, log = tmp_path / "program.py", desk.directory / "client" / "a.jsonl"
    script.write_text(
        "import sys, httpx\nhttpx.post(sys.argv[1] + '/v1/chat/completions', json={'model': 'hang'}, timeout=20)\n",
        encoding="utf-8",
    )
    programs.left(script, service, signal.SIGKILL, log)
    programs.left(script, service, signal.SIGINT, log)
    run(desk.config, now_us(log) + 60 * MINUTE_US)
    assert sorted(row["reason"] for row in verdicts(desk.config)) == ["interrupt", "vanished"]
    assert {row["model"] for row in rows(desk.config, "verdict_current")} == {"hang"}


def test_lines_about_jobs_are_no_problem(desk: Desk, log: Path) -> None:
    """What `cancel_on_abort` adds is taken in, event by event."""
    from orphaned_inference import cancel_on_abort

    with pytest.raises(KeyboardInterrupt), cancel_on_abort("j", cancel=lambda _: "cancelled"):
        raise KeyboardInterrupt
    desk.put("client/a.jsonl", log.read_text(encoding="utf-8").strip())
    run(desk.config, now_us(log) + MINUTE_US)
    assert source_counts(desk.config, "app") == {"new": 4, "duplicate": 0, "problem": 0, "ignored": 0}
