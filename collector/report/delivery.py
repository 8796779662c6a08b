"""Delivery: each target gets a week's report once, however often it is asked for and whatever is restarted.

A connection to the ledger, a report and targets come in; what became of each goes out. A delivery and the note of
it are one transaction: what failed leaves no note and is tried again, what arrived is never sent twice by us. (If
the machine dies between the server's yes and our commit, the mail goes out again under the same Message-ID.)
"""

import json
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import duckdb
import stamina

from collector import __version__
from collector.ledger import dialect
from collector.problems import OperatingError
from collector.report import message
from collector.report.document import Report
from collector.report.targets import FolderTarget, MailTarget, Target, WebhookTarget
from collector.report.weeks import Week

PACKAGE = "collector.report"
ATTEMPTS = 4
TOTAL_SECONDS_MAX = 60.0
CALL_SECONDS_MAX = 20.0
SERVER_ERROR, TOO_MANY = 500, 429
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one target: `error` is empty where it has the report now.

    `target` names whom a mail server refused, where it took the mail for others: these would get it twice.
    """

    target: str
    error: str = ""


def waiting(connection: duckdb.DuckDBPyConnection, week: Week, targets: Sequence[Target]) -> list[Target]:
    """Those of `targets` that do not have the report of `week` yet."""
    rows = dialect.run(connection, PACKAGE, "delivered_to", {"week": week.name})
    have = {name for (name,) in rows}
    return [one for one in targets if one.name not in have]


def deliver(
    connection: duckdb.DuckDBPyConnection, report: Report, targets: Sequence[Target], *, now_us: int
) -> list[Delivered]:
    """Send `report` to those of `targets` that lack it, and remember who has it. A target that fails stops no other."""
    week = report.figures.week
    return [_one(connection, report, one, now_us) for one in waiting(connection, week, targets)]


def _one(connection: duckdb.DuckDBPyConnection, report: Report, target: Target, now_us: int) -> Delivered:
    note = {"week": report.figures.week.name, "target": target.name, "now_us": now_us}
    connection.begin()
    try:
        dialect.run(connection, PACKAGE, "delivery_put", note)
        refused = _send(report, target)
        connection.commit()
    except OperatingError as error:
        connection.rollback()
        return Delivered(target.name, str(error))
    except BaseException:
        connection.rollback()
        raise
    return Delivered(f"{target.name} (refused for {', '.join(refused)})" if refused else target.name)


def _send(report: Report, target: Target) -> list[str]:
    """One delivery; which of a mail's recipients were refused. Raises OperatingError when it failed for good."""
    if isinstance(target, FolderTarget):
        report.write(target.directory / report.figures.week.name)
    elif isinstance(target, MailTarget):
        note = message.mail(report, target)
        return _persistently(target.name, lambda: _post(note.as_bytes(), target))
    else:
        body = json.dumps(message.slack(report, target.link)).encode()
        _persistently(target.name, lambda: _call(body, target))
    return []


def _persistently(name: str, send: Callable[[], _Result]) -> _Result:
    """`send`, again while that may help. Raises OperatingError with the last reason."""
    try:
        for attempt in stamina.retry_context(on=_passing, attempts=ATTEMPTS, timeout=TOTAL_SECONDS_MAX):
            with attempt:
                return send()
    except (OSError, smtplib.SMTPException) as error:
        raise OperatingError(f"{name}: {_reason(error)}. It is tried again") from None
    raise AssertionError("an attempt either returns or raises")


def _passing(error: Exception) -> bool:
    """Whether an error may be gone at the next attempt: a server's refusal stays one."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code >= SERVER_ERROR or error.code == TOO_MANY
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code < SERVER_ERROR
    if isinstance(error, ssl.SSLCertVerificationError | smtplib.SMTPRecipientsRefused | smtplib.SMTPNotSupportedError):
        return False
    return isinstance(error, OSError | smtplib.SMTPException)


def _reason(error: Exception) -> str:
    """Why, in one line, without the webhook's address, which is a secret."""
    if isinstance(error, urllib.error.HTTPError):
        return f"answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"cannot be reached: {error.reason}"
    return " ".join(str(error).split()) or type(error).__name__


def _post(note: bytes, target: MailTarget) -> list[str]:
    """Hand a mail to the server, which may refuse some of the recipients: these."""
    trust = ssl.create_default_context(cafile=None if target.ca_file is None else str(target.ca_file))
    if target.tls == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(target.server, target.port, timeout=CALL_SECONDS_MAX, context=trust)
    else:
        server = smtplib.SMTP(target.server, target.port, timeout=CALL_SECONDS_MAX)
    with server:
        if target.tls == "starttls":
            server.starttls(context=trust)
        if target.user is not None:
            server.login(target.user, target.password or "")
        return sorted(server.sendmail(target.sender, list(target.recipients), note))


def _call(body: bytes, target: WebhookTarget) -> None:
    """Hand a message to the webhook."""
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": f"orphaned-inference/{__version__}"}
    asked = urllib.request.Request(target.url, data=body, headers=headers, method="POST")  # noqa: S310 - the config takes http and https alone
    with urllib.request.urlopen(asked, timeout=CALL_SECONDS_MAX) as answer:  # noqa: S310
        answer.read(1024)
