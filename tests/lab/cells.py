"""The table of the lab: every way in which a call can go, one cell each. Pure: nothing is started here.

A cell is a setting of nginx, the shape of a call, the way its caller leaves, and whether the backend stops
when it notices that. What must be seen of each is told in `expected.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Shape = Literal["gemini", "imagen", "chat", "gemini-stream", "gemini-wide-stream", "chat-stream"]
Way = Literal["stays", "ctrl-c", "sigterm", "sigkill", "timeout", "cancelled", "closed", "gateway"]

UNARY: tuple[Shape, ...] = ("gemini", "imagen", "chat")
STREAMS: tuple[Shape, ...] = ("gemini-stream", "gemini-wide-stream", "chat-stream")
LEAVING: tuple[Way, ...] = ("ctrl-c", "sigterm", "sigkill", "timeout", "cancelled", "closed")

EVENTS = 12  # of a stream
EVENTS_BEFORE = 5  # sent before the caller leaves; what it received of them is delivered
TIMEOUT_SECONDS = 2  # of the callers that leave by a timeout, and of the nginx that does
MODELS: dict[Shape, str] = {
    "gemini": "gemini-3.5-flash",
    "gemini-stream": "gemini-3.5-flash",
    "gemini-wide-stream": "gemini-3.5-flash",
    "imagen": "imagen-4.0-generate-001",
    "chat": "acme-chat-1",
    "chat-stream": "acme-chat-1",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """How one nginx stands in front: `proxy_ignore_client_abort` and `proxy_buffering`, on or off.

    `gives_up`: its `proxy_read_timeout` is short, so that it is nginx who leaves, with its own client still there.
    """

    ignores: bool
    buffers: bool
    gives_up: bool = False

    @property
    def name(self) -> str:
        """As it stands in the names of cells: `ignore_off-buffer_on`."""
        if self.gives_up:
            return "gives_up"
        return f"ignore_{_on_off(self.ignores)}-buffer_{_on_off(self.buffers)}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One call. `number` makes its token counts, and so its money, differ from every other's."""

    number: int
    setting: Setting
    shape: Shape
    way: Way
    stops: bool  # the backend breaks off when it notices that its caller has left

    @property
    def name(self) -> str:
        """Says everything; stands in the path of the call, by which nginx's line and the backend's work are known."""
        backend = "stops" if self.stops else "runs_on"
        return f"{self.setting.name}-{self.shape}-{self.way}-{backend}"

    @property
    def is_stream(self) -> bool:
        """Whether the answer comes in pieces."""
        return self.shape in STREAMS

    @property
    def is_wide(self) -> bool:
        """Whether an answer, or each event of it, is larger than nginx's buffers."""
        return self.shape in {"imagen", "gemini-wide-stream"}

    @property
    def events_seen(self) -> int:
        """How many events reach the caller before it leaves.

        nginx 1.22 passes small events on at once, buffering or not (seen); of large ones it keeps back what does not
        fill a buffer.
        """
        if not self.is_stream:
            return 0
        return EVENTS_BEFORE - 1 if self.is_wide else EVENTS_BEFORE


GIVES_UP = Setting(ignores=False, buffers=False, gives_up=True)
SETTINGS = (*(Setting(ignores, buffers) for ignores in (False, True) for buffers in (False, True)), GIVES_UP)


def _on_off(value: object) -> str:
    return "on" if value else "off"


def _kinds(setting: Setting) -> Iterator[tuple[Shape, Way, bool]]:
    """Shape, way and backend, where they can come together in that setting."""
    for shape in (*UNARY, *STREAMS):
        if shape == "gemini-wide-stream" and not setting.buffers:
            continue  # nothing is kept back
        if not setting.gives_up:
            yield shape, "stays", False
        for way in ("gateway",) if setting.gives_up else LEAVING:
            if way == "closed" and shape in UNARY:
                continue
            yield shape, way, False
            yield shape, way, True


def all_cells() -> list[Cell]:
    """The whole table."""
    kinds = [(setting, *kind) for setting in SETTINGS for kind in _kinds(setting)]
    return [Cell(number, *kind) for number, kind in enumerate(kinds)]
