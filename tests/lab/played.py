"""What stays of a call that has been played: the truth, to which logs, verdicts and money are held."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.lab.cells import Cell, all_cells
from tests.lab.service import Work
from tests.lab.shapes import Usage, usage_of


@dataclass(frozen=True, slots=True)
class Played:
    """One cell's call. The ids are those that came through nginx; instants in microseconds since 1970.

    `tokens_read`: what its caller had read when it left. `exit_code`: of the caller's process, a signal negative.
    """

    cell: Cell
    completion_id: str
    request_id: str
    traceparent: str | None
    received_us: int
    first_byte_us: int | None
    finished_us: int
    status: str
    events_made: int
    tokens_read: int
    exit_code: int

    @property
    def usage(self) -> Usage:
        """What the backend's work on it used."""
        return usage_of(self.cell, self.events_made)


def played_of(work: Work, tokens_read: int, exit_code: int) -> Played:
    """The call that this work was for."""
    return Played(
        cell=work.cell,
        completion_id=work.completion_id,
        request_id=work.headers["x-request-id"],
        traceparent=work.headers.get("traceparent"),
        received_us=work.received_us,
        first_byte_us=work.first_byte_us,
        finished_us=work.finished_us,
        status=work.status,
        events_made=work.events_made,
        tokens_read=tokens_read,
        exit_code=exit_code,
    )


def keep(path: Path, played: Iterable[Played]) -> None:
    """Write them down, for whoever reads the same room later."""
    told = [{**asdict(one), "cell": one.cell.name} for one in played]
    path.write_text(json.dumps(told, indent=1), encoding="utf-8")


def kept(path: Path) -> list[Played]:
    """What `keep` wrote."""
    cells = {cell.name: cell for cell in all_cells()}
    told = json.loads(path.read_text(encoding="utf-8"))
    return [Played(**{**one, "cell": cells[one["cell"]]}) for one in told]
