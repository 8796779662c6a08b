"""What each section of the config may say: keys, types and defaults; frozen sections go out.

A section refuses every key that it does not name. It opens no file and knows nothing of lines. The entries of
`routes`, `skus`, `policies` and `prices` become the types of the rooms that use them.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from collector.config.values import (
    DURATION_UNITS_US,
    TOKEN_USAGES,
    Address,
    CallsPerMinute,
    Currency,
    DateUs,
    Duration,
    FieldPath,
    FieldPaths,
    Filter,
    Flag,
    Hop,
    Interval,
    ListenAddress,
    Name,
    PathPattern,
    Pattern,
    Price,
    Probability,
    Projects,
    Text,
    Usage,
    Weekly,
    WeeklyTime,
    field_paths,
)
from collector.costing.policies import On, PolicyOverride
from collector.costing.prices import ConfiguredPrice
from collector.sources.routes import Route
from collector.sources.skus import SkuRule

# How far an observer stands from the backend, unless its `hop` says so: the client outside, a proxy inside.
HOP_PROXY, HOP_CLIENT = 1, 2

FIELDS_REQUIRED = ("completion_id", "finished_at")


class Section(BaseModel):
    """A mapping of the file. Unknown keys are refused; a key without a value is a key left out."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
    blank_is_left_out: ClassVar[bool] = True

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, data: Any) -> Any:
        if isinstance(data, dict) and cls.blank_is_left_out:
            return {key: value for key, value in data.items() if value is not None}
        return data


class Ledger(Section):
    """Where the ledger is: as written; `Config.ledger_path` is the place itself."""

    path: PathPattern = "ledger.duckdb"


class Http(Section):
    """Where the daemon serves. Port 0 lets the system choose."""

    listen: ListenAddress = Address("127.0.0.1", 9747)


class Correlation(Section):
    """How long to wait for a completion, and how far clocks may differ."""

    horizon_us: Interval = Field(default=30 * DURATION_UNITS_US["m"], alias="horizon")
    clock_skew_us: Duration = Field(default=2 * DURATION_UNITS_US["s"], alias="clock_skew")
    match_threshold: Probability = 0.5


class Billing(Section):
    """When a bucket is settled, and whether credits are part of its cost."""

    settle_after_us: Duration = Field(default=48 * DURATION_UNITS_US["h"], alias="settle_after")
    credits: Literal["include", "exclude"] = "include"


class Schedule(Section):
    """When the daemon does what."""

    collect_us: Interval = Field(default=30 * DURATION_UNITS_US["s"], alias="collect")
    bill_us: Interval = Field(default=DURATION_UNITS_US["h"], alias="bill")
    report: Weekly = WeeklyTime(0, 6, 0)


class RouteEntry(Section):
    """Which requests of a proxy log are inference calls, and to whom."""

    match: Pattern
    provider: Text | None = None
    account: Text | None = None
    model: Text | None = None
    operation: Text | None = None
    service: Text | None = None

    def route(self) -> Route:
        """This entry as the sources take it."""
        pattern = self.match.pattern
        return Route(pattern, self.provider, self.account, self.model, self.operation, self.service)


class Observer(Section):
    """What all logs that see client calls have in common."""

    name: Name
    path: PathPattern
    absorbs: Flag = False


class ClientLogSource(Observer):
    """Our own client log, as JSON lines."""

    kind: Literal["client-log"]
    hop: Hop = HOP_CLIENT


class NginxSource(Observer):
    """An nginx access log, as JSON lines."""

    kind: Literal["nginx"]
    hop: Hop = HOP_PROXY
    service: Text | None = None
    route_entries: tuple[RouteEntry, ...] = Field(default=(), alias="routes")

    @property
    def routes(self) -> tuple[Route, ...]:
        """The user's own routes, in their order; the built-in ones come after them."""
        return tuple(entry.route() for entry in self.route_entries)


class Fields(Section):
    """Where the parts of a completion stand in a Cloud Logging entry: paths to try, the first present wins.

    A LogEntry has a trace and a span of its own: cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry.
    """

    blank_is_left_out: ClassVar[bool] = False  # a field without a path is one that the log does not have

    completion_id: FieldPaths = field_paths("insertId")
    request_id: FieldPaths = field_paths("jsonPayload.request_id")
    trace_id: FieldPaths = field_paths("jsonPayload.trace_id", "trace")
    span_id: FieldPaths = field_paths("jsonPayload.span_id", "spanId")
    response_id: FieldPaths = field_paths("jsonPayload.response_id")
    model: FieldPaths = field_paths("jsonPayload.model")
    stream: FieldPaths = field_paths("jsonPayload.stream")
    status: FieldPaths = field_paths("jsonPayload.status")
    finished_at: FieldPaths = field_paths("timestamp")
    latency: FieldPaths = field_paths("httpRequest.latency")
    first_byte_at: FieldPaths = field_paths("jsonPayload.first_byte_at")
    input_tokens: FieldPaths = field_paths("jsonPayload.usage.input_tokens")
    cached_input_tokens: FieldPaths = field_paths("jsonPayload.usage.cached_input_tokens")
    output_tokens: FieldPaths = field_paths("jsonPayload.usage.output_tokens")
    thinking_tokens: FieldPaths = field_paths("jsonPayload.usage.thinking_tokens")
    images: FieldPaths = field_paths("jsonPayload.usage.images")
    price_class: FieldPaths = field_paths("jsonPayload.price_class")
    account: FieldPaths = field_paths("resource.labels.project_id")

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> Self:
        for name in FIELDS_REQUIRED:
            if not getattr(self, name):
                raise ValueError(f"{name} needs a path; without it no completion can be read")
        return self

    def paths(self) -> dict[str, tuple[FieldPath, ...]]:
        """Field -> the paths to try in order; an empty tuple where the log does not have it."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class CompletionLogSource(Section):
    """What all logs of completions have in common: a provider, and where an entry holds what."""

    name: Name
    kind: str
    provider: Text
    field_paths: Fields = Field(default=Fields(), alias="fields")

    @property
    def fields(self) -> Mapping[str, tuple[FieldPath, ...]]:
        """Field -> the paths to try in order: the file's own where it names one, else the default."""
        return self.field_paths.paths()


class CloudLoggingFileSource(CompletionLogSource):
    """Cloud Logging entries in files."""

    kind: Literal["cloud-logging-file"]
    path: PathPattern


class CloudLoggingSource(CompletionLogSource):
    """Cloud Logging entries, read live from one or more projects.

    `since`: how far back the first read goes. `overlap`: how much is read again, for entries that become
    visible late. `endpoint`: a server that stands in for Google, called without credentials.
    """

    kind: Literal["cloud-logging"]
    projects: Projects
    filter: Filter = ""
    since_us: Interval = Field(default=DURATION_UNITS_US["d"], alias="since")
    overlap_us: Duration = Field(default=5 * DURATION_UNITS_US["m"], alias="overlap")
    calls_per_minute: CallsPerMinute = 60
    endpoint: ListenAddress | None = None


class GcpBillingFileSource(Section):
    """Rows of Google's billing export, in files."""

    name: Name
    kind: Literal["gcp-billing-file"]
    path: PathPattern


FileSource: TypeAlias = ClientLogSource | NginxSource | CloudLoggingFileSource | GcpBillingFileSource
SourceConfig: TypeAlias = FileSource | CloudLoggingSource


class SkuEntry(Section):
    """How a bill's text names a model and a usage kind."""

    match: Pattern
    usage: Usage
    model: Text | None = None
    provider: Text | None = None
    price_class: Text | None = None

    @model_validator(mode="after")
    def _names_a_model(self) -> Self:
        if (self.model is None) == ("model" not in self.match.groupindex):
            raise ValueError("the model is named once: by `model:`, or by a group (?P<model>...) in `match`")
        return self

    def rule(self) -> SkuRule:
        """This entry as the sources take it."""
        return SkuRule(self.match.pattern, self.usage, self.model, self.provider, self.price_class)


class PolicyEntry(Section):
    """Whether work that ended so is billed, as far as the user knows."""

    provider: Text
    on: On
    billed: Flag
    model: Pattern | None = None

    def override(self) -> PolicyOverride:
        """This entry as the costing room takes it."""
        return PolicyOverride(self.provider, self.on, self.billed, self.model and self.model.pattern)


class PriceEntry(Section):
    """What a model costs from a day on."""

    model: Text
    provider: Text | None = None
    from_us: DateUs = Field(alias="from")
    currency: Currency
    price_class: Text | None = None
    per_image: Price | None = None
    input_per_mtok: Price | None = None
    cached_input_per_mtok: Price | None = None
    output_per_mtok: Price | None = None
    thinking_per_mtok: Price | None = None
    cache_write_per_mtok: Price | None = None
    cache_write_5m_per_mtok: Price | None = None
    cache_write_1h_per_mtok: Price | None = None
    audio_input_per_mtok: Price | None = None
    cached_audio_input_per_mtok: Price | None = None
    audio_output_per_mtok: Price | None = None
    image_input_per_mtok: Price | None = None
    cached_image_input_per_mtok: Price | None = None
    image_output_per_mtok: Price | None = None
    video_input_per_mtok: Price | None = None
    video_output_per_mtok: Price | None = None

    @model_validator(mode="after")
    def _has_a_price(self) -> Self:
        if not self.per_mtok() and self.per_image is None:
            raise ValueError("no price; expected a key like input_per_mtok, output_per_mtok or per_image")
        return self

    def per_mtok(self) -> dict[str, str]:
        """Usage kind -> decimal text per 10^6 tokens, for the kinds that are named."""
        named = {usage: getattr(self, f"{usage}_per_mtok") for usage in TOKEN_USAGES}
        return {usage: text for usage, text in named.items() if text is not None}

    def price(self) -> ConfiguredPrice:
        """This entry as the costing room takes it."""
        return ConfiguredPrice(
            model=self.model,
            from_us=self.from_us,
            currency=self.currency,
            per_mtok=self.per_mtok(),
            per_image=self.per_image,
            provider=self.provider,
            price_class=self.price_class,
        )


class FileSection(Section):
    """The whole file, but for `sources`: those are read one by one, each by its kind."""

    ledger: Ledger = Ledger()
    currency: Currency = "USD"
    http: Http = Http()
    correlation: Correlation = Correlation()
    billing: Billing = Billing()
    schedule: Schedule = Schedule()
    sources: list[Any]
    skus: tuple[SkuEntry, ...] = ()
    policies: tuple[PolicyEntry, ...] = ()
    prices: tuple[PriceEntry, ...] = ()
