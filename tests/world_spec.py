"""What a simulated world may be asked for. Only numbers and names come in; nothing is drawn here.

Shares are probabilities between 0 and 1. The defaults are a clean world with ids on both sides; `rough`
is the same world with every fault switched on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, Literal, Self

PROVIDER = "gcp.vertex_ai"
USAGE_KINDS = ("input", "cached_input", "output", "thinking")
APP, EDGE, BACKEND, BILL, JOBS = "app", "edge", "backend", "bill", "jobs"  # the sources' names
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US
HORIZON_MIN = 30  # correlation.horizon

BillMode = Literal["full", "partial", "corrected", "late", "none"]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model and its price: whole nano-units of `currency` per token. Thinking costs what output costs."""

    name: str
    input_nano: int
    cached_input_nano: int
    output_nano: int
    thinking: bool = False
    currency: str = "USD"

    def price_nano(self, usage: str) -> int:
        """Nano-units for one token of the usage kind."""
        if usage == "input":
            return self.input_nano
        return self.cached_input_nano if usage == "cached_input" else self.output_nano

    def sold_in(self, currency: str) -> Self:
        """The same model under another name, priced in another currency."""
        return replace(
            self, name=f"{self.name}-{currency.lower()}", currency=currency,
            input_nano=self.input_nano * 9 // 10, cached_input_nano=self.cached_input_nano * 9 // 10,
            output_nano=self.output_nano * 9 // 10,
        )  # fmt: skip


MODELS = (
    ModelSpec("acme-chat-1", 300, 30, 2500),
    ModelSpec("acme-think-2", 1250, 310, 10_000, thinking=True),
    ModelSpec("acme-mini-1", 100, 10, 400, thinking=True),
)


@dataclass(frozen=True)
class WorldSpec:
    """One world. The same spec makes the same bytes."""

    seed: int
    calls: int = 2000  # first attempts; retries come on top
    rate_per_s: float = 5.0
    start: datetime = datetime(2026, 11, 20, tzinfo=UTC)
    hours: int = 3  # bursts of traffic, each around a full hour; 0: from `start` on, without a break

    # Which ids reach both sides. The first that both have joins them.
    id_share: float = 1.0  # of all calls: the backend logs the request_id
    trace_share: float = 0.0  # of the rest: trace_id and span_id on both sides
    response_id_share: float = 0.0  # of the rest of that: the backend's response id, known once a byte came

    # How calls end.
    stream_share: float = 0.6
    abort_share: float = 0.08  # the client leaves: interrupt, cancelled or timeout
    backend_stops_share: float = 0.3  # of streams that are left: the backend stops, completion `cancelled`
    late_abort_share: float = 0.05  # of streams that are left: only after the last token had arrived
    unreached_share: float = 0.02  # of calls that are left: the backend never heard of them
    error_share: float = 0.01  # the client calls it failed, though the backend's completion is ok
    backend_error_share: float = 0.01  # the backend fails by itself; four times as often where one leaves
    vanish_share: float = 0.005  # a process with one call, killed
    kills: int = 0  # processes with many calls, killed: all of their calls under way vanish
    retry_share: float = 0.5  # of timeouts: tried again
    same_id_share: float = 0.3  # of retries: under the same request_id

    # The proxy.
    proxy_share: float = 0.3  # of all calls: they pass nginx
    proxy_only_share: float = 0.1  # of those: no client log watches them
    proxy_own_id_share: float = 0.3  # of those: nginx passes an id of its own upstream
    proxy_hides_share: float = 0.2  # of those: proxy_ignore_client_abort is on
    gateway_timeout_share: float = 0.02  # of proxied unary calls: nginx gives up (504)

    # Who and what.
    models: tuple[ModelSpec, ...] = MODELS
    accounts: tuple[str, ...] = ("acme-prod", "acme-labs")
    services: tuple[str, ...] = ("chat-api", "search", "nightly")

    # What the observers write down.
    uncounted_share: float = 0.1  # of streams: the client counted no tokens (every other one no bytes either)
    hint_share: float = 0.5  # of started lines: with input_tokens, max_output_tokens, request_bytes
    log_process: bool = True
    log_first_byte: bool = False  # jsonPayload.first_byte_at in the backend's log, and in the field map
    skew_ms: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # by source name
    delay_ms: float = 20.0  # one way, median of a lognormal
    delay_sigma: float = 0.5

    # What becomes of the records.
    lost_share: float = 0.0  # of calls, of proxy lines, of completions: not in the log
    lost_ended_share: float = 0.0  # of delivered calls: only the ended line is lost
    doubled_share: float = 0.0  # of lines: twice in the log; and one bill file delivered twice
    late_share: float = 0.0  # of lines: in a file of their own, long after
    garbled_share: float = 0.0  # of lines: a bad or irrelevant one follows; half of the lost leave a stump
    unlogged_share: float = 0.0  # of all calls: as much work again that is billed and that no log shows

    # Batches and long-running operations, of all fates in turn (tests/world_jobs.py).
    jobs: int = 0

    # The bill.
    bill: BillMode = "full"
    bill_by: Literal["finish", "start"] = "finish"
    bill_reaches: bool = True  # every account's bill goes on for 60 h after its last hour
    daily: bool = False
    credit_share: float = 0.0  # of rows: with a promotion
    credits: Literal["include", "exclude"] = "include"
    fine_cost_share: float = 0.0  # of rows: cost with more than nine decimals
    second_currency: str | None = None  # the last account pays in it, for models of its own
    cancelled_billed: bool = True
    error_billed: bool = False

    @classmethod
    def rough(cls, seed: int, **changes: Any) -> Self:
        """A world in which everything goes wrong now and then; `changes` are fields of the spec."""
        faults: dict[str, Any] = {
            "kills": 2, "lost_share": 0.02, "doubled_share": 0.03, "late_share": 0.03, "garbled_share": 0.03,
            "unlogged_share": 0.05, "credit_share": 0.3, "bill": "corrected", "second_currency": "EUR",
            "error_billed": True, "skew_ms": MappingProxyType({APP: 40, EDGE: -25, BACKEND: 10}),
        }  # fmt: skip
        return cls(seed=seed, **(faults | changes))

    @property
    def start_us(self) -> int:
        """The beginning of the world, microseconds since 1970."""
        return int(self.start.timestamp()) * SECOND_US

    def skew_us(self, source: str) -> int:
        """How far the clock of that source is ahead of the truth."""
        return self.skew_ms.get(source, 0) * 1000

    def models_of(self, account: str) -> tuple[ModelSpec, ...]:
        """The models that the account uses: the last one has its own if it pays in another currency."""
        if self.second_currency is None or account != self.accounts[-1]:
            return self.models
        return _sold_in(self.models, self.second_currency)

    def model(self, account: str, name: str) -> ModelSpec:
        """The model of that name, as the account buys it."""
        return next(model for model in self.models_of(account) if model.name == name)

    def price_list(self) -> tuple[ModelSpec, ...]:
        """Every model of every account, once."""
        return tuple(dict.fromkeys(model for account in self.accounts for model in self.models_of(account)))


@cache
def _sold_in(models: tuple[ModelSpec, ...], currency: str) -> tuple[ModelSpec, ...]:
    return tuple(model.sold_in(currency) for model in models)


def instant_text(at_us: int) -> str:
    """RFC 3339 UTC with six decimals."""
    second, micro = divmod(at_us, SECOND_US)
    return f"{_second_text(second)}.{micro:06d}Z"


def short_instant_text(at_us: int) -> str:
    """The same as Cloud Logging writes it: trailing zeros dropped, and the point with them."""
    second, micro = divmod(at_us, SECOND_US)
    return f"{_second_text(second)}.{micro:06d}".rstrip("0").rstrip(".") + "Z"


@lru_cache(maxsize=100_000)  # most lines of a log share their second with others
def _second_text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def moment(at_us: int) -> datetime:
    """The instant as a datetime in UTC."""
    return datetime.fromtimestamp(at_us // SECOND_US, UTC).replace(microsecond=at_us % SECOND_US)
