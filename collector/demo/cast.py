"""Who takes part in the demo's day: models with their prices, services with their habits. Data only.

Prices are Google's list prices a token, in nano-units of USD; the bill is made from them, and the collector
is not told: it has a price book of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
DAY_HOURS = 24
ACCOUNT = "acme-prod"
PROVIDER = "gcp.vertex_ai"
USAGES = ("input", "cached_input", "output", "thinking")

# Share of the trace's hour that is kept in each hour: a working day from midnight to midnight.
DAY_SHAPE = (
    0.03, 0.02, 0.02, 0.02, 0.03, 0.05, 0.08, 0.13, 0.20, 0.27, 0.30, 0.29,
    0.25, 0.28, 0.31, 0.32, 0.29, 0.24, 0.18, 0.14, 0.11, 0.08, 0.06, 0.04,
)  # fmt: skip
# From when to when the backend was slow, in seconds of the day, and how slow.
SLOW_FROM_S, SLOW_TO_S, SLOWNESS = 15.2 * 3600, 15.9 * 3600, 2.2
# The agent's workers are killed (out of memory, say) at these seconds of the day.
KILLS_S = range(9 * 3600, 18 * 3600, 25 * 60)


@dataclass(frozen=True, slots=True)
class Model:
    """A model: its name in logs and on bills, its list prices, and how fast it writes (tokens a second)."""

    name: str
    billed_as: str
    list_nano: Mapping[str, int]
    credit_percent: int  # a negotiated discount, which the bill shows as a credit
    speed: float

    def net_nano(self, usage: str) -> int:
        """What a token costs in the end."""
        return self.list_nano[usage] * (100 - self.credit_percent) // 100


FLASH = Model(
    "gemini-2.5-flash", "Gemini 2.5 Flash",
    {"input": 300, "cached_input": 30, "output": 2_500, "thinking": 2_500}, 0, 150.0,
)  # fmt: skip
PRO = Model(
    "gemini-2.5-pro", "Gemini 2.5 Pro",
    {"input": 1_250, "cached_input": 125, "output": 10_000, "thinking": 10_000}, 4, 105.0,
)  # fmt: skip
MODELS = {model.name: model for model in (FLASH, PRO)}


@dataclass(frozen=True, slots=True)
class Service:
    """A program that calls a model, and how its users and deadlines make it leave.

    `logs`: it writes a client log. `proxy`: the nginx in front of the backend, if any. `leave_share` of its
    streams are left by their reader. Thinking is lognormal: `thinking` tokens in the middle, `spread` wide.
    """

    name: str
    model: Model
    stream: bool
    logs: bool
    proxy: Literal["edge", "gateway"] | None
    reason: str
    leave_share: float
    timeout_s: float | None
    thinking: float
    spread: float
    cached_share: float = 0.0
    retries: int = 0
    workers: int = 0


WEB_CHAT = Service("web-chat", FLASH, True, False, "edge", "disconnect", 0.08, None, 320, 0.8)
MOBILE_CHAT = Service("mobile-chat", FLASH, True, True, "edge", "cancelled", 0.06, 10, 320, 0.8)
CODE_ASSIST = Service("code-assist", FLASH, True, True, None, "cancelled", 0.10, None, 60, 0.6, 0.5)
EXTRACT = Service("extract", FLASH, False, True, "gateway", "timeout", 0.0, 10, 260, 0.9)
AGENT = Service("agent", PRO, False, True, None, "timeout", 0.0, 60, 1_500, 0.75, retries=1, workers=4)
NOTEBOOK = Service("notebook", PRO, True, True, None, "interrupt", 0.12, None, 1_400, 0.7)

# Which services long and short answers of the trace belong to, and in what proportion.
LONG_TOKENS = 40
LONG: tuple[tuple[Service, int], ...] = ((WEB_CHAT, 55), (MOBILE_CHAT, 30), (NOTEBOOK, 10), (AGENT, 5))
SHORT: tuple[tuple[Service, int], ...] = ((CODE_ASSIST, 68), (EXTRACT, 17), (AGENT, 10), (WEB_CHAT, 5))

STOP_SHARE = 0.12  # of the streams that were left: the backend notices and stops
ERROR_SHARE = 0.004  # of all calls: the backend fails
RESET_SHARE = 0.002  # of the calls without a stream: the connection breaks, the backend does not notice
UNLOGGED_SHARE = 0.004  # of the completions: worked on and billed, but lost to the log
UNWATCHED_SHARE = 0.03  # tokens on the bill that a script nobody watches used, of what the others used
# Of the readers who leave: before the first word; up to here in the middle; the others at the last word.
LEFT_BEFORE_SHARE, LEFT_MIDWAY_SHARE = 0.4, 0.97
LATE_ERROR_SHARE = 0.03  # of the calls that timed out: the backend fails later
HALF_LINE_SHARE = 0.2  # of the processes that are killed: they leave half a line
DOUBLED_SHARE = 0.003  # of the log entries: delivered twice
