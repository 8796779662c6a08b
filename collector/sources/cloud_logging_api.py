"""Calls of Cloud Logging's entries.list: what is asked for comes in, one page of entries as JSON goes out.

The real client does the calling, over HTTP: its answers hold every field as Google prints it (over gRPC,
nested fields of audit entries get lost, and making JSON again takes ten times as long). The quota is kept
here, what passes is tried again here, and what does not becomes an error a person can act on. No call reads a
clock of its own: a stop watch and a way to sleep are given. Sources: cloud.google.com/logging/quotas (60
calls a minute and project, not raisable), cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import requests
import stamina
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.auth.credentials import AnonymousCredentials

from collector.problems import OperatingError, excerpt

if TYPE_CHECKING:
    from google.cloud.logging import Client

PAGE_ENTRIES = 1000  # the most that entries.list gives
CALLS_A_MINUTE_MAX = 60
MINUTE_S = 61.0  # a second more, because calls do not arrive as evenly as they leave
PAUSE_S = 0.01
RETRIES = 6  # calls in all for one page; with the waits between them, longer than a minute's quota is away
WAIT_FIRST_S, WAIT_MAX_S = 2.0, 30.0

# What may pass by itself; everything else is told at once.
PASSING = (
    api.TooManyRequests, api.InternalServerError, api.BadGateway, api.ServiceUnavailable, api.GatewayTimeout,
    auth.TransportError, requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError, msgspec.DecodeError,
)  # fmt: skip
FAILURES = (*PASSING, api.GoogleAPICallError, auth.GoogleAuthError, requests.RequestException)


@dataclass(frozen=True, slots=True)
class Ask:
    """One page: of one project's entries that the filter selects, oldest timestamp first."""

    project: str
    filter: str
    page_token: str = ""
    page_entries: int = PAGE_ENTRIES

    def body(self) -> dict[str, Any]:
        """The request as the API wants it."""
        asked = {
            "resourceNames": [f"projects/{self.project}"], "filter": self.filter, "orderBy": "timestamp asc",
            "pageSize": self.page_entries,
        }  # fmt: skip
        return asked | ({"pageToken": self.page_token} if self.page_token else {})


class Page(msgspec.Struct, frozen=True):
    """One page: the entries as they came, each the JSON text of a LogEntry; no token on the last one."""

    entries: list[msgspec.Raw] = []
    token: str = msgspec.field(name="nextPageToken", default="")


Lister = Callable[[Ask], Page]


class CallError(OperatingError):
    """A page that could not be had.

    `refused`: the request itself is wrong. `lasting`: the other projects are no better off.
    """

    def __init__(self, message: str, *, refused: bool = False, lasting: bool = False) -> None:
        super().__init__(message)
        self.refused, self.lasting = refused, lasting


def http_lister(address: str | None = None) -> Lister:
    """Calls Google with the credentials of the environment; or a server at host:port `address`, with none."""
    decode = msgspec.json.Decoder(Page).decode
    clients: list[Client] = []  # made at the first call, where a lack of credentials can be told

    def list_page(ask: Ask) -> Page:
        if not clients:
            clients.append(_client(ask.project, address))
        call = clients[0].logging_api.api_request
        body = call(method="POST", path="/entries:list", data=ask.body(), expect_json=False)
        return decode(body.decode("utf-8", "replace"))

    return list_page


def _client(project: str, address: str | None) -> "Client":
    from google.cloud.logging import Client

    # Whose project the client is, does not matter: every call names the one it reads.
    if address is None:
        return Client(project=project, _use_grpc=False)  # type: ignore[no-untyped-call]
    nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]
    return Client(  # type: ignore[no-untyped-call]
        project=project, credentials=nobody, _use_grpc=False,
        client_options={"api_endpoint": f"http://{address}"},
    )  # fmt: skip


class Quota:
    """Lets no more calls through than a project is allowed in any minute; one a process, whatever calls.

    `monotonic` is a stop watch in seconds, `sleep` waits so many of them.
    """

    def __init__(self, monotonic: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self.monotonic, self._sleep = monotonic, sleep
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)

    def wait(self, project: str, calls_a_minute: int) -> None:
        """Until one more call is allowed; it counts from then on."""
        calls = self._recent(project)
        while len(calls) >= calls_a_minute:
            self._sleep(max(PAUSE_S, calls[-calls_a_minute] + MINUTE_S - self.monotonic()))
            calls = self._recent(project)
        calls.append(self.monotonic())

    def ages_s(self, project: str) -> list[float]:
        """How long ago the calls of the last minute were, oldest first."""
        now = self.monotonic()
        return [now - call for call in self._recent(project)]

    def told(self, project: str, ages_s: Iterable[float]) -> None:
        """Calls that another process made so long ago; of no interest where this one has made its own."""
        if not self._recent(project):
            now = self.monotonic()
            self._calls[project].extend(sorted(now - age for age in ages_s if 0 <= age < MINUTE_S))

    def _recent(self, project: str) -> deque[float]:
        calls, since = self._calls[project], self.monotonic() - MINUTE_S
        while calls and calls[0] <= since:
            calls.popleft()
        return calls


class Caller:
    """Gets pages at the pace that the quota allows, and tries again what may pass.

    Once the service has been away for all retries, the pages of other projects get one call each, so that an
    outage costs a run one wait and not one a project.
    """

    def __init__(self, list_page: Lister, quota: Quota, calls_a_minute: int) -> None:
        self._list_page, self._quota, self._calls_a_minute = list_page, quota, calls_a_minute
        self._retries = RETRIES
        # The default hooks print to standard output, which belongs to what a command exports.
        stamina.instrumentation.set_on_retry_hooks([stamina.instrumentation.LoggingOnRetryHook])

    def page(self, ask: Ask) -> Page:
        """The page asked for. Raises CallError."""
        try:
            return self._patiently(ask)
        except FAILURES as failure:
            error = told(ask.project, failure)
            if error.lasting:
                self._retries = 1
            raise error from None

    def _patiently(self, ask: Ask) -> Page:
        page = Page()
        for attempt in stamina.retry_context(
            on=PASSING, attempts=self._retries, timeout=None, wait_initial=WAIT_FIRST_S, wait_max=WAIT_MAX_S
        ):
            with attempt:
                self._quota.wait(ask.project, self._calls_a_minute)
                page = self._list_page(ask)
        return page


def told(project: str, failure: Exception) -> CallError:
    """What failed, where, and what a person can do about it."""
    where = f"project {project}"
    said = excerpt(str(getattr(failure, "message", "") or failure))
    match failure:
        case api.TooManyRequests():
            why = f"the {CALLS_A_MINUTE_MAX} entries.list calls a minute that Google allows are used up "
            why += f"({said}). Something else reads this project too: let it call less, or lower "
            return CallError(f"{where}: {why}calls_per_minute here; the place is kept")
        case api.Forbidden():
            why = f"reading its log entries is not permitted ({said}). Grant this account roles/logging.viewer "
            why += "on the project, and roles/logging.privateLogViewer where Data Access audit logs are read"
            return CallError(f"{where}: {why}")
        case api.NotFound():
            return CallError(f"{where}: there is no such project ({said}). Mend `projects`")
        case api.BadRequest():
            why = f"Cloud Logging refuses the request ({said}). Mend `filter`"
            return CallError(f"{where}: {why}", refused=True)
        case api.Unauthorized() | auth.RefreshError() | auth.DefaultCredentialsError():
            why = f"no valid credentials ({said}). Set GOOGLE_APPLICATION_CREDENTIALS, or run: gcloud auth "
            return CallError(f"{where}: {why}application-default login", lasting=True)
        case _:
            why = f"Cloud Logging could not be reached, or did not answer ({said}). The place is kept, and the "
            return CallError(f"{where}: {why}next run goes on there", lasting=True)
