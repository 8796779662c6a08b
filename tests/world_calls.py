"""The things that happen in a simulated world: calls, what their observers saw, and the work behind them.

Instants are microseconds since 1970 UTC, by the true clock unless a name says otherwise. Nothing is drawn or
written here.
"""

from dataclasses import dataclass
from typing import Literal

JoinedBy = Literal["request_id", "trace", "response_id", "none"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens in leaves that do not overlap: `input` is the uncached part, `output` the visible one."""

    input: int
    cached_input: int
    output: int
    thinking: int

    def of(self, kind: str) -> int:
        """The tokens of one usage kind."""
        return int(getattr(self, kind))


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of one call, as each side knows them; None: that side does not have it."""

    request: str | None  # the client's
    trace: str | None
    span: str | None
    response: str | None  # the backend's, told with the first byte
    proxy: str | None  # what nginx logs as request_id, and passes upstream
    backend_request: str | None  # in the completion
    backend_trace: bool  # the completion has trace and span


@dataclass(frozen=True, slots=True)
class Work:
    """What the backend did for one request: its completion. `request_id` and so on as its log has them."""

    completion_id: str
    account: str
    model: str
    stream: bool
    status: Literal["ok", "cancelled", "error"]
    received_us: int
    first_byte_us: int | None  # of streams that got so far
    finished_us: int
    usage: Usage
    request_id: str | None
    trace_id: str | None
    span_id: str | None
    response_id: str | None
    logged: bool
    billed: bool  # by the policy for how it ended

    def tokens_made(self, at_us: int) -> int:
        """Visible tokens made by then: even between first byte and end; of a unary answer, all at the end."""
        if at_us >= self.finished_us:
            return self.usage.output
        if self.first_byte_us is None or at_us <= self.first_byte_us:
            return 0
        return self.usage.output * (at_us - self.first_byte_us) // (self.finished_us - self.first_byte_us)


@dataclass(frozen=True, slots=True)
class ClientView:
    """The client's own two lines, by its own clock. `outcome` is None where the process was killed."""

    started_us: int
    ended_us: int | None
    outcome: Literal["delivered", "aborted", "failed"] | None
    reason: str | None
    status_code: int | None
    bytes_received: int | None
    tokens_received: int | None
    response_id: str | None
    recorded: bool
    ended_recorded: bool


@dataclass(frozen=True, slots=True)
class ProxyView:
    """One line of nginx, by its own clock, in milliseconds. `reason` is None where the answer looks whole."""

    request_id: str
    received_id: str | None
    traceparent: str | None
    started_ms: int
    ended_ms: int
    status: int
    bytes_sent: int
    whole: bool
    upstream_status: str
    header_ms: int | None
    upstream_ms: int | None
    upstream_bytes: int
    service: str | None
    reason: Literal["disconnect", "timeout"] | None
    tokens_passed: int
    recorded: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt and all that is true about it. `left_us`: when the client left, was killed, or gave up."""

    call_id: str
    service: str
    process: str
    account: str
    model: str
    stream: bool
    ids: Ids
    retry_of: str | None
    started_us: int
    left_us: int | None
    tokens_delivered: int
    hints: bool
    input_tokens: int
    client: ClientView | None  # None: nobody watches this client
    proxy: ProxyView | None  # None: did not pass nginx, or never reached it
    work: Work | None  # None: never reached the backend

    @property
    def operation(self) -> str:
        """As the path spells it."""
        return "streamGenerateContent" if self.stream else "generateContent"

    @property
    def joined_by(self) -> JoinedBy:
        """The first id that both sides have, going by the lines that were recorded."""
        if self.work is None:
            return "none"
        client = self.client if self.client and self.client.recorded else None
        proxy = self.proxy if self.proxy and self.proxy.recorded else None
        known = {self.ids.request if client else None, proxy.request_id if proxy else None} - {None}
        if self.work.request_id in known:
            return "request_id"
        if self.work.trace_id is not None and (client or proxy):
            return "trace"
        told = client.response_id if client and client.ended_recorded else None
        return "response_id" if told is not None and told == self.work.response_id else "none"
