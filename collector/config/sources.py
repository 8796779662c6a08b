"""What an entry of `sources` may say. A source has a place that it is read from and a role in the run.

Places: `FileSource`, `LiveSource`. Roles: `Observer`, `CompletionLogSource`, `JobEntries`, `AuditEntries`, the bill.
What Google writes into Cloud Logging has a role by its `preset`, and either place. The rooms ask for roles and places,
never for kinds. The entries of `routes` become the type of the room that uses them.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from collector.config.model import Section
from collector.config.values import (
    DURATION_UNITS_US,
    SIZE_UNITS_BYTES,
    CallsPerMinute,
    Duration,
    ExportTable,
    FieldPath,
    FieldPaths,
    Filter,
    Flag,
    Hop,
    Interval,
    ListenAddress,
    Location,
    Name,
    PathPattern,
    Pattern,
    Project,
    Projects,
    Size,
    Text,
    field_paths,
)
from collector.sources.routes import Route

# How far an observer stands from the backend, unless its `hop` says so: the client outside, a proxy inside.
HOP_PROXY, HOP_CLIENT = 1, 2

FIELDS_REQUIRED = ("completion_id", "finished_at")


class SourceConfig(Section):
    """What all sources have in common."""

    name: Name
    kind: str


# Places ---------------------------------------------------------------------------------------------------


class FileSource(SourceConfig):
    """What is read from files."""

    path: PathPattern


class Entries(SourceConfig):
    """What Cloud Logging holds: of which sort, if Google or our own client wrote it."""

    preset: str | None = None


class LiveSource(Entries):
    """What is read out of Cloud Logging itself, from one or more projects.

    `since`: how far back the first read goes. `overlap`: how much is read again, for entries that become
    visible late. `endpoint`: a server that stands in for Google, called without credentials.
    """

    projects: Projects
    filter: Filter = ""
    since_us: Interval = Field(default=DURATION_UNITS_US["d"], alias="since")
    overlap_us: Duration = Field(default=5 * DURATION_UNITS_US["m"], alias="overlap")
    calls_per_minute: CallsPerMinute = 60
    endpoint: ListenAddress | None = None


# Roles ----------------------------------------------------------------------------------------------------


class Observer(SourceConfig):
    """A log that sees client calls."""

    hop: Hop = HOP_PROXY
    absorbs: Flag = False


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


class ProxyLog(Observer):
    """A log that tells requests by their paths."""

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
    error_code: FieldPaths = ()
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


class InferenceMetadataFields(Fields):
    """The same for Google's log of inference requests. Nobody has confirmed one of these names.

    What such an entry holds is documented, how it is called is not: docs.cloud.google.com/gemini-enterprise-
    agent-platform/models/capabilities/inference-metadata-logging. So each is tried in the ways Google writes.
    """

    request_id: FieldPaths = field_paths("labels.request_id", "jsonPayload.labels.request_id")
    trace_id: FieldPaths = field_paths("labels.trace_id", "trace")
    span_id: FieldPaths = field_paths("labels.span_id", "spanId")
    response_id: FieldPaths = field_paths("jsonPayload.responseId", "jsonPayload.response_id")
    model: FieldPaths = field_paths("jsonPayload.model", "jsonPayload.modelId", "jsonPayload.model_id")
    stream: FieldPaths = ()
    status: FieldPaths = ()
    error_code: FieldPaths = field_paths("jsonPayload.errorCode", "jsonPayload.error_code", "httpRequest.status")
    latency: FieldPaths = field_paths("jsonPayload.latency", "httpRequest.latency")
    first_byte_at: FieldPaths = ()
    input_tokens: FieldPaths = field_paths(
        "jsonPayload.inputTokenCount", "jsonPayload.input_token_count", "jsonPayload.input_tokens"
    )
    cached_input_tokens: FieldPaths = field_paths(
        "jsonPayload.cachedTokenCount", "jsonPayload.cached_token_count", "jsonPayload.cached_tokens"
    )
    output_tokens: FieldPaths = field_paths(
        "jsonPayload.outputTokenCount", "jsonPayload.output_token_count", "jsonPayload.output_tokens"
    )
    thinking_tokens: FieldPaths = field_paths(
        "jsonPayload.thoughtTokenCount", "jsonPayload.thought_token_count", "jsonPayload.thought_tokens"
    )
    images: FieldPaths = ()
    price_class: FieldPaths = field_paths("jsonPayload.trafficType", "jsonPayload.traffic_type")


class CompletionLogSource(SourceConfig):
    """A log of completions: whose they are, and where an entry holds what."""

    provider: Text
    field_paths: Fields = Field(default=Fields(), alias="fields")

    @property
    def fields(self) -> Mapping[str, tuple[FieldPath, ...]]:
        """Field -> the paths to try in order: the file's own where it names one, else the default."""
        return self.field_paths.paths()


class InferenceMetadata(CompletionLogSource, Entries):
    """Google's log of inference requests: no content, but tokens, latency and labels."""

    preset: Literal["vertex-inference-metadata"]
    provider: Text = "gcp.vertex_ai"
    field_paths: InferenceMetadataFields = Field(default=InferenceMetadataFields(), alias="fields")

    @property
    def guessed(self) -> tuple[str, ...]:
        """The fields whose paths are our guess, because the file does not name them."""
        named = self.field_paths.model_fields_set
        return tuple(name for name in InferenceMetadataFields.__annotations__ if name not in named)


class RequestResponseLog(CompletionLogSource):
    """Vertex AI's request-response table. Its columns are Google's own, and no row names its project: `account`."""

    provider: Text = "gcp.vertex_ai"
    account: Text

    @model_validator(mode="after")
    def _has_fixed_columns(self) -> Self:
        if "field_paths" in self.model_fields_set:
            raise ValueError("this kind takes no `fields`: the columns of the table are Google's own")
        return self


class RequestEntries(ProxyLog, Entries):
    """Entries that one of Google's proxies writes, one a request."""

    preset: Literal["http-load-balancer", "cloud-run-requests"]


class ClientLogEntries(Observer, Entries):
    """Our own client log where it was printed to standard output: a line of it is an entry's payload."""

    preset: Literal["client-log"]
    hop: Hop = HOP_CLIENT


class AuditEntries(Entries):
    """Data Access audit logs: which models are called, and when. It has neither tokens nor ends."""

    preset: Literal["vertex-audit"]


class JobFields(Section):
    """Where the parts of a job's state stand in an entry that holds the provider's object of the job.

    The defaults are the names of google-genai (BatchJob), of the REST APIs, of openai (Batch) and anthropic
    (MessageBatch). What entries say of operations and methods stands where Google puts it.
    """

    blank_is_left_out: ClassVar[bool] = False

    job_id: FieldPaths = field_paths("jsonPayload.name", "jsonPayload.id", "jsonPayload.job_id")
    state: FieldPaths = field_paths("jsonPayload.state", "jsonPayload.status", "jsonPayload.processing_status")
    kind: FieldPaths = field_paths("jsonPayload.kind")
    logged_at: FieldPaths = field_paths("timestamp")
    created_at: FieldPaths = field_paths("jsonPayload.createTime", "jsonPayload.create_time", "jsonPayload.created_at")
    ended_at: FieldPaths = field_paths(
        "jsonPayload.endTime", "jsonPayload.end_time", "jsonPayload.ended_at", "jsonPayload.completed_at",
        "jsonPayload.cancelled_at", "jsonPayload.failed_at",
    )  # fmt: skip
    model: FieldPaths = field_paths("jsonPayload.model")
    price_class: FieldPaths = field_paths("jsonPayload.price_class")
    input_tokens: FieldPaths = field_paths("jsonPayload.usage.input_tokens")
    cached_input_tokens: FieldPaths = field_paths(
        "jsonPayload.usage.cached_input_tokens", "jsonPayload.usage.input_tokens_details.cached_tokens"
    )
    output_tokens: FieldPaths = field_paths("jsonPayload.usage.output_tokens")
    thinking_tokens: FieldPaths = field_paths(
        "jsonPayload.usage.thinking_tokens", "jsonPayload.usage.output_tokens_details.reasoning_tokens"
    )
    images: FieldPaths = field_paths("jsonPayload.usage.images")
    requests_total: FieldPaths = field_paths("jsonPayload.request_counts.total")
    requests_done: FieldPaths = field_paths(
        "jsonPayload.request_counts.completed", "jsonPayload.request_counts.succeeded",
        "jsonPayload.completionStats.successfulCount", "jsonPayload.completion_stats.successful_count",
    )  # fmt: skip
    requests_failed: FieldPaths = field_paths(
        "jsonPayload.request_counts.failed", "jsonPayload.request_counts.errored",
        "jsonPayload.completionStats.failedCount", "jsonPayload.completion_stats.failed_count",
    )  # fmt: skip
    requests_left: FieldPaths = field_paths(
        "jsonPayload.request_counts.canceled", "jsonPayload.completionStats.incompleteCount",
        "jsonPayload.completion_stats.incomplete_count",
    )  # fmt: skip
    account: FieldPaths = field_paths("resource.labels.project_id")

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> Self:
        if not (self.job_id and self.state and self.logged_at):
            raise ValueError("job_id, state and logged_at need a path each; without them no state of a job can be read")
        return self

    def paths(self) -> dict[str, tuple[FieldPath, ...]]:
        """Field -> the paths to try in order; an empty tuple where the log does not have it."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class JobEntries(Entries):
    """Entries that tell of batches and long-running operations: audit logs, and objects of jobs that were logged."""

    preset: Literal["jobs"]
    provider: Text = "gcp.vertex_ai"
    field_paths: JobFields = Field(default=JobFields(), alias="fields")

    @property
    def fields(self) -> Mapping[str, tuple[FieldPath, ...]]:
        """Field -> the paths to try in order."""
        return self.field_paths.paths()


class BillSource(SourceConfig):
    """A bill: what was charged, by account, period and SKU."""


# Kinds ----------------------------------------------------------------------------------------------------


class ClientLogSource(Observer, FileSource):
    """Our own client log, as JSON lines."""

    hop: Hop = HOP_CLIENT


class NginxSource(ProxyLog, FileSource):
    """An nginx access log, as JSON lines."""


class CloudLoggingFileSource(CompletionLogSource, FileSource):
    """Completions as an application logs them, in files of entries."""


class CloudLoggingSource(CompletionLogSource, LiveSource):
    """The same, live."""


class InferenceMetadataFileSource(InferenceMetadata, FileSource):
    """Google's log of inference requests, in files of entries."""


class InferenceMetadataSource(InferenceMetadata, LiveSource):
    """The same, live."""


class RequestFileSource(RequestEntries, FileSource):
    """Requests of Google's proxies, in files of entries."""


class RequestSource(RequestEntries, LiveSource):
    """The same, live."""


class ClientLogEntriesFileSource(ClientLogEntries, FileSource):
    """Our own client log, in files of entries."""


class ClientLogEntriesSource(ClientLogEntries, LiveSource):
    """The same, live."""


class AuditFileSource(AuditEntries, FileSource):
    """Audit logs, in files of entries."""


class AuditSource(AuditEntries, LiveSource):
    """The same, live."""


class JobFileSource(JobEntries, FileSource):
    """Entries about jobs, in files."""


class JobSource(JobEntries, LiveSource):
    """The same, live."""


class RequestResponseFileSource(RequestResponseLog, FileSource):
    """Rows of Vertex AI's request-response table, in files."""


class GcpBillingFileSource(BillSource, FileSource):
    """Rows of Google's billing export, in files."""


class GcpBillingSource(BillSource):
    """The same, live: the table in BigQuery.

    `since`, `overlap`: as for Cloud Logging, by export time. `project`: where the queries run and are billed, unless
    it is the table's. `location`: of the data set, unless the table says it. `endpoint`: a server that stands in.
    """

    table: ExportTable
    project: Project | None = None
    location: Location | None = None
    since_us: Interval = Field(default=35 * DURATION_UNITS_US["d"], alias="since")
    overlap_us: Duration = Field(default=2 * DURATION_UNITS_US["d"], alias="overlap")
    maximum_bytes_billed: Size = 10 * SIZE_UNITS_BYTES["GiB"]
    endpoint: ListenAddress | None = None
