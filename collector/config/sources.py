"""What an entry of `sources` may say. A source has a place that it is read from and a role in the run.

Places: `FileSource`, `LiveSource`, `TableSource`. Roles: `Observer`, `CompletionLogSource`, `JobEntries`,
`AuditEntries`, the bill. What Google writes into Cloud Logging has a role by its `preset`, and one of the first two
places. The rooms ask for roles and places, never for kinds. The entries of `routes` become the type of the room that
uses them.
"""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from collector.config.fields import Fields, InferenceMetadataFields, JobFields
from collector.config.model import Section
from collector.config.values import (
    DURATION_UNITS_US,
    SIZE_UNITS_BYTES,
    CallsPerMinute,
    Duration,
    ExportTable,
    FieldPath,
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
)
from collector.sources.routes import Route

# How far an observer stands from the backend, unless its `hop` says so: the client outside, a proxy inside.
HOP_PROXY, HOP_CLIENT = 1, 2


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


class TableSource(SourceConfig):
    """What is read out of a table in BigQuery.

    `since`, `overlap`: as for Cloud Logging, by the instants of the rows. `project`: where the queries run and are
    billed, unless it is the table's. `location`: of the data set, unless the table says it. `endpoint`: a server that
    stands in.
    """

    table: ExportTable
    project: Project | None = None
    location: Location | None = None
    since_us: Interval = Field(default=35 * DURATION_UNITS_US["d"], alias="since")
    overlap_us: Duration = Field(default=2 * DURATION_UNITS_US["d"], alias="overlap")
    maximum_bytes_billed: Size = 10 * SIZE_UNITS_BYTES["GiB"]
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


class RequestResponseSource(RequestResponseLog, TableSource):
    """The same, live. A call is logged when it ends, and its row is there within minutes."""

    since_us: Interval = Field(default=DURATION_UNITS_US["d"], alias="since")
    overlap_us: Duration = Field(default=DURATION_UNITS_US["h"], alias="overlap")


class GcpBillingFileSource(BillSource, FileSource):
    """Rows of Google's billing export, in files."""


class GcpBillingSource(BillSource, TableSource):
    """Google's billing export, live."""
