"""Calls of BigQuery: a query comes in, its price in bytes, its job and pages of its rows go out.

The real client does the calling. What passes is tried again here, and what does not becomes an error a person
can act on. No query runs without a bound on what it may be billed. A job keeps its rows for a day, so that a page
can be fetched again without paying for the query again. Sources: cloud.google.com/bigquery/docs/reference/rest/v2
(jobs, tables), cloud.google.com/bigquery/docs/error-messages, .../querying-partitioned-tables (pseudocolumns).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import msgspec
import requests
import stamina
from google.api_core import exceptions as api
from google.api_core.retry import Retry
from google.auth import exceptions as auth
from google.auth.credentials import AnonymousCredentials

from collector.problems import OperatingError, excerpt

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, QueryJobConfig

RETRIES = 6  # calls in all, for whatever is called
WAIT_FIRST_S, WAIT_MAX_S = 1.0, 20.0
CALL_S = 60.0  # for one answer
QUERY_S = 600.0  # for a query to end
ONCE = Retry(predicate=lambda _: False)  # the client's own retries last for ten minutes, and do not say so
MIB = 1 << 20
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INGESTED = "_PARTITIONTIME"  # what a table without a partitioning column of its own is partitioned by
OPTIONAL = (INGESTED, "otel_log")  # columns that not every table has: lines that name them are left out there
TABLE = "`the_export`"  # how the SQL files call the table: its name cannot be a parameter
LABELS = {"program": "orphaned-inference"}  # by which the bill for the reading can be told apart

# What may pass by itself; everything else is told at once. The reasons come first: statuses are coarser.
PASSING_REASONS = frozenset({"rateLimitExceeded", "backendError", "internalError", "badGateway", "tableUnavailable"})
PASSING = (
    api.TooManyRequests, api.InternalServerError, api.BadGateway, api.ServiceUnavailable, api.GatewayTimeout,
    auth.TransportError, requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError, requests.exceptions.JSONDecodeError,
)  # fmt: skip
FAILURES = (
    *PASSING, api.GoogleAPICallError, auth.GoogleAuthError, requests.RequestException, TimeoutError,
)  # fmt: skip

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Place:
    """What is read, and where.

    `table`: project.dataset.table; `payer`: the project that queries run in; `location`: of the data set, where
    the table does not say it; `address`: host:port of a server that stands in for Google, called without credentials.
    """

    table: str
    payer: str
    maximum_bytes_billed: int
    location: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """What the table says of itself: where it is, what it is partitioned by ("": nothing), and its columns.

    `version` is another one after every change; empty where a change may not show.
    """

    location: str | None
    partitioned_by: str
    version: str
    columns: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ask:
    """A query: the text of an SQL file, and its parameters in microseconds.

    It is about what is not older than `from_us`, and so was ingested since `partition_us`, but for the instants
    `known_us`.
    """

    sql: str
    from_us: int
    partition_us: int
    known_us: tuple[int, ...] = ()


class Job(msgspec.Struct, frozen=True):
    """A query that was started: its rows can be had for a day."""

    project: str
    id: str
    location: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a job, each as its columns' values, and how many it has in all."""

    rows: list[tuple[Any, ...]]
    total: int


class CallError(OperatingError):
    """What could not be had. `over`: the job gives nothing any more; `again`: another one may."""

    def __init__(self, message: str, *, over: bool = False, again: bool = False) -> None:
        super().__init__(message)
        self.over, self.again = over, again


class JobError(Exception):
    """A job that has ended without rows; its `cause` says why."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def instant(at_us: int) -> datetime:
    """Microseconds since 1970 as a query's parameter."""
    return EPOCH + timedelta(microseconds=at_us)


class BigQuery:
    """Looks at one table, patiently. Every method raises CallError."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._clients: list[Client] = []  # made at the first call, where a lack of credentials can be told
        # The default hooks print to standard output, which belongs to what a command exports.
        stamina.instrumentation.set_on_retry_hooks([stamina.instrumentation.LoggingOnRetryHook])

    def export(self) -> Export:
        """The table as it stands now. Costs nothing."""
        return self._patiently(self._export)

    def bytes_of(self, ask: Ask, export: Export) -> int:
        """How many bytes a query would be billed for, but for rounding up. Costs nothing."""
        return self._patiently(lambda: self._bytes(ask, export))

    def job(self, export: Export) -> Job:
        """A name for a query that is to be started, so that it can be written down before."""
        return Job(self._place.payer, f"orphaned-inference-{uuid4().hex}", self._place.location or export.location)

    def start(self, ask: Ask, job: Job, export: Export) -> None:
        """Start a query as `job`; it may fail later, and is never billed for more than the bound."""
        self._patiently(lambda: self._start(ask, job, export))

    def page(self, job: Job, start: int, rows: int) -> Page:
        """At most so many rows of a job from the row `start` on, counted from 0; waits for it to end."""
        return self._patiently(lambda: self._page(job, start, rows))

    def all_rows(self, ask: Ask, export: Export, rows_a_page: int) -> list[tuple[Any, ...]]:
        """All rows of a query that has few."""
        job, found, total = self.job(export), list[tuple[Any, ...]](), 1
        self.start(ask, job, export)
        while len(found) < total:
            page = self.page(job, len(found), rows_a_page)
            total = page.total
            if not page.rows:
                break
            found += page.rows
        return found

    def _export(self) -> Export:
        table = self._client().get_table(self._place.table, retry=ONCE, timeout=CALL_S)
        partitioning = table.time_partitioning
        shows = table.table_type == "TABLE" and table.streaming_buffer is None and table.modified is not None
        return Export(
            table.location,
            (partitioning.field or INGESTED) if partitioning else "",
            f"{table.modified.isoformat()} {table.num_rows}" if shows else "",
            frozenset(column.name for column in table.schema),
        )

    def _bytes(self, ask: Ask, export: Export) -> int:
        config = self._config(ask)
        config.dry_run, config.maximum_bytes_billed = True, None  # the bound is told by the caller, with the figure
        where = self._place.location or export.location
        job = self._client().query(
            self._text(ask, export), job_config=config, location=where, project=self._place.payer, retry=ONCE,
            job_retry=None, timeout=CALL_S,
        )  # fmt: skip
        return int(job.total_bytes_processed or 0)

    def _start(self, ask: Ask, job: Job, export: Export) -> None:
        try:
            self._client().query(
                self._text(ask, export), job_config=self._config(ask), job_id=job.id, location=job.location,
                project=job.project, retry=ONCE, job_retry=None, timeout=CALL_S,
            )  # fmt: skip
        except api.Conflict:
            return  # an earlier try has arrived after all

    def _page(self, job: Job, start: int, rows: int) -> Page:
        from google.cloud.bigquery import QueryJob

        found = self._client().get_job(
            job.id, project=job.project, location=job.location, retry=ONCE, timeout=CALL_S
        )  # fmt: skip
        if not isinstance(found, QueryJob):
            raise TypeError(f"{job.id} is no query")
        if found.error_result:
            raise JobError(found.exception())  # type: ignore[no-untyped-call]
        result = found.result(
            page_size=rows, max_results=rows, start_index=start, retry=ONCE, job_retry=None, timeout=QUERY_S
        )  # fmt: skip
        return Page([row.values() for row in result], int(result.total_rows or 0))

    def _text(self, ask: Ask, export: Export) -> str:
        """The query on this table, without the lines that name a column it does not have."""
        has = export.columns | {export.partitioned_by}
        missing = [column for column in OPTIONAL if column not in has]
        lines = ask.sql.replace(TABLE, f"`{self._place.table}`").splitlines()
        return "\n".join(line for line in lines if not any(column in line for column in missing))

    def _config(self, ask: Ask) -> "QueryJobConfig":
        from google.cloud.bigquery import ArrayQueryParameter, QueryJobConfig, ScalarQueryParameter

        return QueryJobConfig(
            maximum_bytes_billed=self._place.maximum_bytes_billed,
            labels=LABELS,
            query_parameters=[
                ScalarQueryParameter("since", "TIMESTAMP", instant(ask.from_us)),
                ScalarQueryParameter("partition_from", "TIMESTAMP", instant(ask.partition_us)),
                ArrayQueryParameter("known_us", "INT64", list(ask.known_us)),
            ],
        )

    def _client(self) -> "Client":
        if not self._clients:
            self._clients.append(_client(self._place))
        return self._clients[0]

    def _patiently(self, call: Callable[[], _Answer]) -> _Answer:
        try:
            for attempt in stamina.retry_context(
                on=passing, attempts=RETRIES, timeout=None, wait_initial=WAIT_FIRST_S, wait_max=WAIT_MAX_S
            ):
                with attempt:
                    return call()
        except JobError as ended:
            error = told(self._place, ended.cause)
            raise CallError(str(error), over=True, again=passing(ended.cause)) from None
        except FAILURES as failure:
            raise told(self._place, failure) from None
        raise AssertionError("unreachable: the last attempt returns or raises")


def _client(place: Place) -> "Client":
    from google.cloud.bigquery import Client

    if place.address is None:
        return Client(project=place.payer)
    nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]
    return Client(
        project=place.payer, credentials=nobody, client_options={"api_endpoint": f"http://{place.address}"}
    )  # fmt: skip


def reason(failure: Exception) -> str:
    """BigQuery's own word for what failed; empty where it says none."""
    errors = getattr(failure, "errors", None) or [{}]
    return str(errors[0].get("reason", "")) if isinstance(errors[0], dict) else ""


def passing(failure: Exception) -> bool:
    """Whether it may pass by itself."""
    known = reason(failure)
    if known in {"", "error"}:
        return isinstance(failure, PASSING)
    return known in PASSING_REASONS


def told(place: Place, failure: Exception) -> CallError:  # noqa: PLR0911 - one a kind of failure
    """What failed, where, and what a person can do about it."""
    said = _said(failure)
    where = f"table {place.table}"
    match reason(failure), failure:
        case "bytesBilledLimitExceeded", _:
            bound = f"{place.maximum_bytes_billed / MIB:,.0f} MiB"
            return CallError(
                f"{where}: the read would be billed for more than maximum_bytes_billed, {bound} ({said}); nothing was "
                "read and nothing billed. Raise it, or shorten `since`",
                over=True,
            )
        case (("quotaExceeded" | "rateLimitExceeded"), _):
            return CallError(f"{where}: {_QUOTA.format(said=said, payer=place.payer)}", over=True)
        case _, api.TooManyRequests():
            return CallError(f"{where}: {_QUOTA.format(said=said, payer=place.payer)}")
        case (("resourcesExceeded" | "responseTooLarge"), _):
            why = f"too many rows to be put in order at once ({said}). Shorten `since`"
            return CallError(f"{where}: {why}", over=True)
        case _, api.Forbidden():
            return CallError(f"{where}: {_forbidden(place, said)}", over=True)
        case _, api.NotFound():
            return _not_found(place, said)
        case _, api.BadRequest():
            why = f"BigQuery refuses the query ({said}). Is `table` of the source's kind "
            return CallError(f"{where}: {why}(docs/bigquery.md), and is `location` right?", over=True)
        case _, api.Unauthorized() | auth.RefreshError() | auth.DefaultCredentialsError():
            why = f"no valid credentials ({said}). Set GOOGLE_APPLICATION_CREDENTIALS, or run: gcloud auth "
            return CallError(f"{where}: {why}application-default login")
        case _, _:
            why = f"BigQuery could not be reached, or did not answer ({said or type(failure).__name__}). The place "
            return CallError(f"{where}: {why}is kept, and the next run goes on there")


def _said(failure: Exception) -> str:
    """BigQuery's own words, without the address that was called and without the client's footer."""
    first = (str(getattr(failure, "message", "") or failure).splitlines() or [""])[0]
    return excerpt(re.sub(r"^[A-Z]+ https?://\S+: ", "", first))


_QUOTA = "a quota of project {payer} is used up ({said}). The place is kept, and the next run goes on there"


def _forbidden(place: Place, said: str) -> str:
    """Which role is missing, and on what."""
    if "bigquery.jobs" in said:
        role = f"roles/bigquery.jobUser on the project {place.payer}"
        return f"running a query is not permitted ({said}). Grant this account {role}"
    dataset = place.table.rpartition(".")[0]
    return f"reading is not permitted ({said}). Grant this account roles/bigquery.dataViewer on the dataset {dataset}"


def _not_found(place: Place, said: str) -> CallError:
    where = f"table {place.table}"
    if said.startswith("Not found: Job"):
        return CallError(f"{where}: the job is gone ({said}); the next run asks again", over=True, again=True)
    if "in location" in said:
        wrong = place.location or "of the table"
        return CallError(f"{where}: the data set is not in the location {wrong} ({said}). Mend `location`", over=True)
    why = f"there is no such table ({said}). Mend `table`; Google makes the table of a new export within hours"
    return CallError(f"{where}: {why}", over=True)
