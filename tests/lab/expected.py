"""What must be seen of each cell: the table of the lab, as rules. A cell comes in; what each observer writes goes out.

nginx's part is its behaviour as seen with 1.22; the others follow from the contract.
"""

from dataclasses import dataclass

from tests.lab.cells import EVENTS, Cell, Way
from tests.lab.shapes import tokens_an_event

REASONS: dict[Way, str] = {
    "ctrl-c": "interrupt",
    "sigterm": "interrupt",
    "sigkill": "vanished",
    "timeout": "timeout",
    "cancelled": "cancelled",
    "closed": "cancelled",
    "gateway": "error",
}
EXIT_CODES: dict[Way, int] = {
    "stays": 0,
    "ctrl-c": -2,
    "sigterm": -15,
    "sigkill": -9,
    "timeout": 1,
    "cancelled": 1,
    "closed": 0,
    "gateway": 1,
}


@dataclass(frozen=True, slots=True)
class NginxLine:
    """The parts of a line that tell; `completion` is `OK` or empty."""

    status: str
    completion: str
    upstream_status: str

    @property
    def is_healthy(self) -> bool:
        """Whether nothing in it shows that somebody left."""
        return self.status == "200" and self.completion == "OK"


@dataclass(frozen=True, slots=True)
class ClientEnd:
    """The parts of an `ended` line that tell."""

    outcome: str
    reason: str | None
    status_code: int | None
    output_tokens: int | None


HEALTHY = NginxLine("200", "OK", "200")


def nginx_line(cell: Cell) -> NginxLine:
    """What nginx logs.

    499 only where it notices the client's leaving and has sent nothing yet. Where it does not look, a small answer
    goes out whole to nobody, and looks healthy; of a large one, or of a stream, the second write fails. Where nginx
    itself gives up, it tells its client so with 504; a stream that had begun it cuts off, and logs as healthy.
    """
    if cell.way == "stays" or (cell.way == "gateway" and cell.is_stream):
        return HEALTHY
    if cell.is_stream:
        return NginxLine("200", "", "200")
    if cell.setting.gives_up:
        return NginxLine("504", "OK", "504")
    if not cell.setting.ignores:
        return NginxLine("499", "", "-")
    return NginxLine("200", "", "200") if cell.is_wide else HEALTHY


def backend_status(cell: Cell) -> str:
    """How the backend's work ends.

    One that stops must be told. nginx tells it at once, or, where it ignores who leaves, at its next write: for a
    unary answer that is too late.
    """
    told = cell.way != "stays" and (cell.is_stream or not cell.setting.ignores)
    return "cancelled" if cell.stops and told else "ok"


def client_end(cell: Cell) -> ClientEnd | None:
    """What the client logs at its end; None: a killed process writes none."""
    if cell.way == "sigkill":
        return None
    if cell.way == "stays":
        tokens = None if cell.shape == "imagen" else EVENTS * tokens_an_event(cell)
        return ClientEnd("delivered", None, 200, tokens)
    if cell.way == "gateway":
        tokens = cell.events_seen * tokens_an_event(cell) if cell.is_stream else None
        return ClientEnd("failed", None, 200 if cell.is_stream else 504, tokens)
    if not cell.is_stream:
        return ClientEnd("aborted", REASONS[cell.way], None, None)
    return ClientEnd("aborted", REASONS[cell.way], 200, cell.events_seen * tokens_an_event(cell))


def verdict(cell: Cell) -> str | None:
    """What the collector says; None: nobody left, so that there is nothing to say."""
    if cell.way == "stays":
        return None
    return "cut_short" if backend_status(cell) == "cancelled" else "orphaned"


def edge_reason(cell: Cell) -> str:
    """Why the call ended early, as far as nginx knows."""
    return "timeout" if nginx_line(cell).status == "504" else "disconnect"


def observers(cell: Cell) -> set[str]:
    """Who has a row about it: the client that left, and nginx where its line shows anything.

    A client that was not the one who left logs a failure. That is an abort only if the backend did not fail, nor stop:
    contract, section 1, `error`.
    """
    if cell.way == "stays":
        return set()
    app = {"app"} if cell.way != "gateway" or backend_status(cell) == "ok" else set()
    return app if nginx_line(cell).is_healthy else app | {"edge"}


def outermost(cell: Cell) -> str | None:
    """Whose row has the money."""
    return min(observers(cell), default=None)
