"""The table of the lab: for every cell what nginx logged, what the client logged, the verdict, the money to the nano.

A real nginx, real clients, the real collector; the provider alone is simulated. The whole table is played once.
"""

import fcntl
import shutil
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.lab import collecting, expected, outcome
from tests.lab.books import CONFIG_WITHOUT_CLIENT, OTHER_COST, UNLOGGED_TOKENS
from tests.lab.cells import EVENTS, Cell, all_cells
from tests.lab.money import PROVIDERS, avoidable_nano, costs, lost, model_of, price_nano
from tests.lab.outcome import Line, Seen
from tests.lab.shapes import tokens_an_event
from tests.tools import need

CELLS = all_cells()
LEFT = [cell for cell in CELLS if cell.way != "stays"]
NANO = 10**9
each = pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
each_left = pytest.mark.parametrize("cell", LEFT, ids=lambda cell: cell.name)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A directory in which the whole table has been played, once for all workers."""
    need("nginx", "nginx")
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "lab"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "room" / outcome.TRUTH).exists():
            shutil.rmtree(shared / "room", ignore_errors=True)  # of a worker that did not get to the end
            (shared / "room").mkdir()
            outcome.run(shared / "room", CELLS)
    return shared / "room"


@pytest.fixture(scope="session")
def table(room: Path) -> dict[str, Seen]:
    """Every cell by its name."""
    return outcome.seen(room)


@pytest.fixture(scope="session")
def alone(room: Path) -> dict[str, Line]:
    """The verdicts that the collector reaches without the client's log, by completion."""
    found = collecting.rows(room, "verdicts", config=CONFIG_WITHOUT_CLIENT)
    return {row["completion_id"]: row for row in found}


@each
def test_nginx_logged(cell: Cell, table: dict[str, Seen]) -> None:
    """A line in nginx's log: 499, a 200 that was cut off, or a 200 in full health."""
    line = table[cell.name].nginx
    told = expected.NginxLine(line["status"], line["request_completion"], line["upstream_status"])
    assert told == expected.nginx_line(cell)
    assert (line["upstream_header_time"] == "-") == (line["status"] in {"499", "504"})


@each
def test_client_logged(cell: Cell, table: dict[str, Seen]) -> None:
    """The client's end: why it left, and how many tokens had come by then; a killed process writes none."""
    seen = table[cell.name]
    end = seen.ended
    told = end and expected.ClientEnd(
        end["outcome"], end["reason"], end["status_code"], end["output_tokens_received"],
    )  # fmt: skip
    assert told == expected.client_end(cell)
    assert (seen.started["stream"], seen.started["provider"]) == (cell.is_stream, PROVIDERS[model_of(cell)])


@each
def test_caller_saw(cell: Cell, table: dict[str, Seen]) -> None:
    """The script itself ended as it would without a watch, and had read what the client says that it received."""
    played = table[cell.name].played
    assert played.exit_code == expected.EXIT_CODES[cell.way]
    events = EVENTS if cell.way == "stays" else cell.events_seen
    assert played.tokens_read == (events * tokens_an_event(cell) if cell.is_stream else 0)


@each
def test_backend_did(cell: Cell, table: dict[str, Seen]) -> None:
    """The backend ran on, or stopped, as its nature and what nginx told it say; and it was sent nginx's id."""
    seen = table[cell.name]
    assert seen.played.status == expected.backend_status(cell)
    assert seen.played.request_id == seen.nginx["request_id"] != seen.nginx["http_x_request_id"]


@each
def test_verdict(cell: Cell, table: dict[str, Seen]) -> None:
    """Exactly the observers that saw somebody leave have a row, each with the right verdict on exact evidence."""
    rows = table[cell.name].verdicts
    assert set(rows) == expected.observers(cell)
    reasons = {"app": expected.REASONS.get(cell.way), "edge": expected.edge_reason(cell)}
    for observer, row in rows.items():
        told = (row["verdict"], row["evidence"], row["reason"], row["model"])
        assert told == (expected.verdict(cell), "exact", reasons[observer], model_of(cell))
        # whether a chat is streamed stands in its body, which nginx does not look into
        blind = observer == "edge" and cell.shape.startswith("chat")
        assert row["stream"] is (None if blind else cell.is_stream)


@each_left
def test_money(cell: Cell, table: dict[str, Seen]) -> None:
    """The outermost row has the money, exact to the nano-unit; the other has none of it."""
    seen, outermost = table[cell.name], expected.outermost(cell)
    if outermost is None:
        assert not seen.verdicts
        return
    row = seen.verdicts[outermost]
    best = sum(lost(seen.played).values())
    found = [nano_of(row[name]) for name in ("cost", "orphaned_cost", "orphaned_cost_low", "orphaned_cost_high")]
    assert found == [sum(costs(seen.played).values()), best, best, best]
    assert (row["currency"], row["basis"]) == ("USD", "billed" if costs(seen.played) else "estimated")
    for other in (told for observer, told in seen.verdicts.items() if observer != outermost):
        assert other["completion_id"] == row["completion_id"]
        assert not any(nano_of(other[name]) for name in other if name.endswith("cost"))


@each_left
def test_nginx_alone(cell: Cell, alone: dict[str, Line], table: dict[str, Seen]) -> None:
    """Without the client's log: nothing of what nginx logs as healthy, all of the rest, a unary call to the nano.

    How much of a stream was lost is not asked here: without a count it goes by even generation, and the lab's
    streams stand still until their caller has left.
    """
    played = table[cell.name].played
    row = alone.get(played.completion_id)
    if expected.nginx_line(cell).is_healthy:
        assert row is None
        return
    assert row is not None
    assert (row["verdict"], row["evidence"], row["reason"]) == (
        expected.verdict(cell),
        "exact",
        expected.edge_reason(cell),
    )
    assert nano_of(row["cost"]) == sum(costs(played).values())
    if not cell.is_stream:
        found = {nano_of(row[name]) for name in ("orphaned_cost", "orphaned_cost_low", "orphaned_cost_high")}
        assert found == {sum(lost(played).values())}


@each_left
def test_avoidable_money(cell: Cell, table: dict[str, Seen]) -> None:
    """What a cancel would have saved follows from the instants on record; nobody knows when a killed caller left."""
    seen, outermost = table[cell.name], expected.outermost(cell)
    if outermost is None:
        return
    found = nano_of(seen.verdicts[outermost]["avoidable_cost"])
    if outermost == "edge":
        assert found == avoidable_nano(seen.played, round(Decimal(seen.nginx["msec"]) * 1_000_000))
    elif seen.ended is None:
        # ... but for work that cost nothing, of which nothing could have been saved
        assert found == (None if costs(seen.played) else 0)
    else:
        assert found == avoidable_nano(seen.played, us_of(seen.ended["at"]))


def test_the_healthy_ones(table: dict[str, Seen]) -> None:
    """With proxy_ignore_client_abort on, unary calls that were left stand in nginx's log as any good call does."""
    cells = [cell for cell in LEFT if cell.setting.ignores and not cell.is_stream and not cell.is_wide]
    assert len(cells) == 40
    for seen in (table[cell.name] for cell in cells):
        assert (seen.nginx["status"], seen.nginx["request_completion"]) == ("200", "OK")
        assert [row["verdict"] for row in seen.verdicts.values()] == ["orphaned"]
        assert nano_of(seen.verdicts["app"]["orphaned_cost"])


def test_the_status_alone(table: dict[str, Seen]) -> None:
    """Who counts status 499 finds less than a quarter of what was left."""
    found = [cell for cell in LEFT if table[cell.name].nginx["status"] == "499"]
    assert (len(found), len(LEFT)) == (60, 250)


def test_reconciliation(room: Path, table: dict[str, Seen]) -> None:
    """Every bucket of the bill adds up to the last nano-unit, into the parts that the lab knows to be true."""
    buckets = collecting.rows(room, "reconciliation")
    parts = ("delivered", "orphaned", "cut_short", "failed", "unattributed")
    for row in buckets:
        assert nano_of(row["billed_cost"]) == sum(nano_of(row[f"{part}_cost"]) or 0 for part in parts)
    found: Counter[str] = Counter()
    for row in buckets:
        found.update({part: nano_of(row[f"{part}_cost"]) or 0 for part in parts})
    assert found == true_parts(table)
    assert all(row["settled"] for row in buckets if row["model"])


def test_no_other_problem(room: Path) -> None:
    """Every line of every log is understood; on record is only that the backend does not keep to the policy."""
    found = collecting.rows(room, "problems")
    assert {row["kind"] for row in found} <= {"policy contradicted"}, found


def true_parts(table: dict[str, Seen]) -> Counter[str]:
    """What the parts of the bill come to, by what the lab knows."""
    parts = Counter(unattributed=UNLOGGED_TOKENS * price_nano("gemini-3.5-flash", "input") + (nano_of(OTHER_COST) or 0))
    for seen in table.values():
        gone = sum(lost(seen.played).values())
        parts["delivered"] += sum(costs(seen.played).values()) - gone
        parts[expected.verdict(seen.played.cell) or "delivered"] += gone
    parts["failed"] = 0
    return parts


def nano_of(text: Any) -> int | None:
    """An amount in nano-units; None where there is none."""
    if text is None:
        return None
    nano = Decimal(text) * NANO
    assert nano == int(nano)
    return int(nano)


def us_of(text: str) -> int:
    """An instant in microseconds since 1970."""
    at = datetime.fromisoformat(text)
    return int(at.timestamp()) * 1_000_000 + at.microsecond
