"""Delivery: folder, mail and webhook each get a week's report once, whatever fails, is asked again or is restarted."""

import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
import stamina
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from typer.testing import CliRunner

from collector import cli, reporting
from collector.check import findings
from collector.config import ConfigError, load
from collector.daemon import Daemon, Work
from collector.demo.run import free_address
from collector.problems import UsageError
from collector.records import RunSummary
from collector.report import message
from collector.report.weeks import named
from collector.running import work_of
from tests.helpers import T0_US, Desk
from tests.loopback import json_server
from tests.reports import WEEK, call
from tests.summaries import run_summary
from tests.test_daemon import get, until
from tests.tools import need, need_library

DUE_US = WEEK.due_us(0, 6, 0)
AFTER_DUE_MINUTE = (DUE_US - T0_US) // 60_000_000 + 5
PASSWORD = "correct horse"  # noqa: S105 - a test's own


@pytest.fixture(autouse=True, scope="module")
def _pango() -> None:
    """What draws the PDFs."""
    need_library("pangoft2-1.0", "libpangoft2-1.0-0")


@pytest.fixture(autouse=True)
def _quick_retries() -> Iterator[None]:
    """Attempts follow each other without a pause."""
    with stamina.set_testing(True, attempts=3):
        yield


@dataclass
class Mailbox:
    """A mail server's handler that keeps what it takes; `refusals` are answered first."""

    refusals: list[str] = field(default_factory=list)
    mails: list[Message] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)
    users: list[bytes] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    asked: int = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Takes every recipient but those that are unknown."""
        if address in self.unknown:
            return "550 No such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Takes one mail, or refuses it."""
        self.asked += 1
        if self.refusals:
            return self.refusals.pop(0)
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content))
        self.secured.append(session.ssl is not None)
        return "250 OK"

    def login(
        self, _server: object, _session: object, _envelope: object, _mechanism: str, told: LoginPassword
    ) -> AuthResult:
        """Takes the one user that there is."""
        self.users.append(told.login)
        return AuthResult(success=told.password == PASSWORD.encode())


@dataclass(frozen=True)
class Certificate:
    """A certificate of this machine's own, and its key."""

    path: Path
    context: ssl.SSLContext


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for 127.0.0.1 that signs itself."""
    directory = tmp_path_factory.mktemp("tls")
    path, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        [
            need("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj",
            "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", path,
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path, key)
    return Certificate(path, context)


@pytest.fixture
def mailbox(certificate: Certificate) -> Iterator[tuple[Mailbox, int]]:
    """A mail server on loopback that takes mail after STARTTLS and a login alone; and its port."""
    handler = Mailbox()
    port = int(free_address("127.0.0.1:0").rpartition(":")[2])
    controller = Controller(
        handler, hostname="127.0.0.1", port=port, tls_context=certificate.context, require_starttls=True,
        authenticator=handler.login, auth_required=True,
    )  # fmt: skip
    controller.start()
    try:
        yield handler, port
    finally:
        controller.stop()


def desk_with(directory: Path, **report: Any) -> Desk:
    """A desk with some orphans of the week, read after its report was due, whose config delivers as told."""
    desk = Desk(directory, report=report)
    for number in range(4):
        call(desk, f"c{number}", 5 * number + 1, waits=10, works=27, service="search")
    desk.run(60)
    desk.run(AFTER_DUE_MINUTE)
    return desk


def mail_section(port: int, certificate: Certificate) -> dict[str, Any]:
    """The config of a mail to two people."""
    return {
        "server": "127.0.0.1", "port": port, "from": "orphaned@example.com", "to": ["a@example.com", "b@example.com"],
        "user": "reporter", "password_env": "TEST_SMTP_PASSWORD", "ca_file": str(certificate.path),
    }  # fmt: skip


def errors(sent: reporting.Sent | None) -> list[str]:
    """What failed of a delivery that was due."""
    assert sent is not None
    return [one.error for one in sent.outcomes if one.error]


def test_folder_gets_a_directory_a_week_once(tmp_path: Path) -> None:
    """The files are there after the first call; the second finds that everybody has them."""
    desk = desk_with(tmp_path, folder="reports")
    assert errors(reporting.deliver(desk.config, now_us=DUE_US)) == []
    directory = tmp_path / "reports" / "2026-W47"
    assert {path.name for path in directory.iterdir()} == {"report.html", "report.pdf", "orphaned-spend.csv"}
    (directory / "report.html").unlink()
    assert reporting.deliver(desk.config, now_us=DUE_US + 1) is None
    assert not (directory / "report.html").exists()


def test_nothing_is_due_before_its_time(tmp_path: Path) -> None:
    """A microsecond before the schedule the newest due week is the one before, which was due before the first run."""
    desk = desk_with(tmp_path, folder="reports")
    assert reporting.deliver(desk.config, now_us=DUE_US - 1) is None
    assert not (tmp_path / "reports").exists()


def test_a_week_under_way_is_not_delivered(tmp_path: Path) -> None:
    """Half a week under the name of a whole one would stand for good."""
    desk = desk_with(tmp_path, folder="reports")
    with pytest.raises(UsageError, match="2026-W48 had not ended"):
        reporting.deliver(desk.config, now_us=DUE_US, week=named("2026-W48"))


def test_mail_by_starttls(
    tmp_path: Path, mailbox: tuple[Mailbox, int], certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mail is encrypted on its way, has text, HTML with pictures by content id, and the three files."""
    handler, port = mailbox
    monkeypatch.setenv("TEST_SMTP_PASSWORD", PASSWORD)
    desk = desk_with(tmp_path, mail=mail_section(port, certificate))
    assert errors(reporting.deliver(desk.config, now_us=DUE_US)) == []
    assert reporting.deliver(desk.config, now_us=DUE_US + 1) is None
    assert (len(handler.mails), handler.secured, handler.users) == (1, [True], [b"reporter"])
    (mail,) = handler.mails
    assert mail["Subject"] == "Orphaned inference 2026-W47: 0.02 USD"
    assert mail["To"] == "a@example.com, b@example.com"
    assert mail["Message-ID"] == "<orphaned-report-2026-W47@example.com>"
    parts = {part.get_filename() or part.get_content_type(): part for part in mail.walk()}
    assert {"report.html", "report.pdf", "orphaned-spend.csv", "USD-weeks.png", "USD-service.png"} <= set(parts)
    plain, html = (parts[kind].get_payload(decode=True) for kind in ("text/plain", "text/html"))
    assert isinstance(plain, bytes)
    assert isinstance(html, bytes)
    assert b"Raise the timeout of search" in plain
    shown = html.decode()
    assert 'src="cid:USD-weeks@orphaned"' in shown
    assert shown.count("<img") == shown.count('alt="') == 3
    assert parts["USD-weeks.png"]["Content-ID"] == "<USD-weeks@orphaned>"
    picture = parts["USD-weeks.png"].get_payload(decode=True)
    assert isinstance(picture, bytes)
    assert picture.startswith(b"\x89PNG")


def test_mail_is_never_sent_to_a_stranger(
    tmp_path: Path, mailbox: tuple[Mailbox, int], certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that nobody vouches for ends the delivery at once; nothing was said, and nothing is remembered."""
    handler, port = mailbox
    monkeypatch.setenv("TEST_SMTP_PASSWORD", PASSWORD)
    section = mail_section(port, certificate)
    del section["ca_file"]
    desk = desk_with(tmp_path, mail=section)
    (error,) = errors(reporting.deliver(desk.config, now_us=DUE_US))
    assert "certificate" in error.lower()
    assert (handler.asked, handler.users) == (0, [])
    assert PASSWORD not in error


def test_a_passing_refusal_is_tried_again_at_once(
    tmp_path: Path, mailbox: tuple[Mailbox, int], certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that says "later" is asked again; one that says "no" is not."""
    handler, port = mailbox
    monkeypatch.setenv("TEST_SMTP_PASSWORD", PASSWORD)
    desk = desk_with(tmp_path, mail=mail_section(port, certificate))
    handler.refusals = ["554 No thanks"]
    (error,) = errors(reporting.deliver(desk.config, now_us=DUE_US))
    assert "No thanks" in error
    assert handler.asked == 1
    handler.refusals = ["451 Later", "451 Later"]
    assert errors(reporting.deliver(desk.config, now_us=DUE_US)) == []
    assert (handler.asked, len(handler.mails)) == (4, 1)


def test_a_recipient_that_is_refused_is_named(
    tmp_path: Path, mailbox: tuple[Mailbox, int], certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others have the mail and get no second one; who lacks it is told."""
    handler, port = mailbox
    monkeypatch.setenv("TEST_SMTP_PASSWORD", PASSWORD)
    handler.unknown = {"b@example.com"}
    desk = desk_with(tmp_path, mail=mail_section(port, certificate))
    sent = reporting.deliver(desk.config, now_us=DUE_US)
    assert errors(sent) == []
    assert [one.target for one in sent.outcomes] == [  # type: ignore[union-attr]
        "mail to a@example.com, b@example.com (refused for b@example.com)"
    ]
    assert reporting.deliver(desk.config, now_us=DUE_US + 1) is None
    assert len(handler.mails) == 1


def test_webhook_in_slacks_format(tmp_path: Path) -> None:
    """The message has a header, the sentences and the changes; what a log may hold is no markup; sent once."""
    told: list[Any] = []
    answers = [(503, {}), (200, {"ok": True})]

    def answer(method: str, path: str, asked: Any) -> tuple[int, Any]:
        told.append((method, path, asked))
        return answers[min(len(told), len(answers)) - 1]

    with json_server(answer) as address:
        desk = desk_with(
            tmp_path, webhook={"url": f"http://{address}/hook/secret"}, link="https://reports.example.com/"
        )
        assert errors(reporting.deliver(desk.config, now_us=DUE_US)) == []
        assert reporting.deliver(desk.config, now_us=DUE_US + 1) is None
    assert [one[:2] for one in told] == [("POST", "/hook/secret")] * 2
    body = told[-1][2]
    assert body["blocks"][0] == {
        "type": "header", "text": {"type": "plain_text", "text": "Orphaned inference 2026-W47: 0.02 USD"}
    }  # fmt: skip
    texts = [block["text"]["text"] for block in body["blocks"][1:]]
    assert "0.02 USD went on inference whose result reached nobody" in texts[0]
    assert any(text.startswith("*1. Raise the timeout of search") for text in texts)
    assert texts[-1] == "<https://reports.example.com/|The whole report>"
    assert message.escaped("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"


def test_one_target_that_fails_stops_no_other(tmp_path: Path) -> None:
    """A webhook that refuses leaves no note, tells no secret, and is tried again; the folder has its files once."""
    told: list[str] = []
    status = 404

    def answer(_method: str, path: str, _asked: Any) -> tuple[int, Any]:
        told.append(path)
        return status, {}

    with json_server(answer) as address:
        desk = desk_with(tmp_path, folder="reports", webhook={"url": f"http://{address}/hook/secret"})
        (error,) = errors(reporting.deliver(desk.config, now_us=DUE_US))
        assert "answered 404" in error
        assert "secret" not in error
        assert len(told) == 1
        status = 200
        sent = reporting.deliver(desk.config, now_us=DUE_US + 1)
        assert errors(sent) == []
        assert [one.target.split()[0] for one in sent.outcomes] == ["webhook"]  # type: ignore[union-attr]
        assert reporting.deliver(desk.config, now_us=DUE_US + 2) is None
    assert len(told) == 2


def test_a_delivery_that_dies_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends the process in the middle leaves no note: the next process delivers."""
    desk = desk_with(tmp_path, folder="reports")
    monkeypatch.setattr("collector.report.delivery._send", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        reporting.deliver(desk.config, now_us=DUE_US)
    monkeypatch.undo()
    assert errors(reporting.deliver(load(desk.path), now_us=DUE_US)) == []


def test_without_the_note_it_is_delivered_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard bites: where the ledger's notes are not asked, a target gets the same week again."""
    desk = desk_with(tmp_path, folder="reports")
    assert errors(reporting.deliver(desk.config, now_us=DUE_US)) == []
    monkeypatch.setattr("collector.report.delivery.waiting", lambda _connection, _week, targets: list(targets))
    again = reporting.deliver(desk.config, now_us=DUE_US + 1)
    assert again is not None
    assert len(again.outcomes) == 1


def test_the_command_delivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`orphaned report --deliver` says who got it; again, that nothing is to be delivered; a failure ends with 1."""
    desk = desk_with(tmp_path, folder="reports")
    arguments = ["report", "--config", str(desk.path), "--deliver", "--week", "2026-W47"]
    first = CliRunner().invoke(cli.app, arguments)
    assert (first.exit_code, first.stdout) == (0, "")
    assert re_delivered(first.stderr) == 1
    again = CliRunner().invoke(cli.app, arguments)
    assert (again.exit_code, "Nothing to deliver" in again.stderr) == (0, True)
    blocked = desk_with(tmp_path / "other", folder="orphaned.yaml/reports")
    failed = CliRunner().invoke(cli.app, [*arguments[:2], str(blocked.path), *arguments[3:]])
    assert (failed.exit_code, "cannot be made" in failed.stderr) == (1, True)


def re_delivered(text: str) -> int:
    """How many targets a command says got the report."""
    return sum(line.endswith(": delivered") for line in text.splitlines())


# The daemon -------------------------------------------------------------------------------------------------


def started(work: Work, now_us: int = DUE_US) -> Daemon:
    """A daemon on a free port that has begun."""
    daemon = Daemon(work, listen="127.0.0.1:0", now_us=lambda: now_us)
    daemon.start()
    return daemon


def fine(*, bill: bool) -> RunSummary:
    """A run that goes well."""
    return run_summary(7 if bill else 8)


def test_the_daemon_delivers_once_across_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started after the time, it delivers what was due; started again, it does not; it has a time of the week."""
    monkeypatch.setattr("collector.running.wall_clock_us", lambda: DUE_US + 60_000_000)
    told: list[str] = []

    def answer(_method: str, path: str, _asked: Any) -> tuple[int, Any]:
        told.append(path)
        return 200, {}

    with json_server(answer) as address:
        desk = desk_with(tmp_path, webhook={"url": f"http://{address}/hook"})
        for _ in range(2):
            looked: list[list[str]] = []
            real = work_of(desk.config)
            assert real.report_at == (0, 6, 0)

            def deliver(real: Work = real, looked: list[list[str]] = looked) -> list[str]:
                assert real.report_deliver is not None
                looked.append(list(real.report_deliver()))
                return looked[-1]

            daemon = started(Work(fine, 3600, 3600, report_deliver=deliver))
            until(lambda looked=looked: bool(looked))  # type: ignore[misc]
            jobs = {job.id: job for job in daemon._scheduler.get_jobs()}
            assert "hour='6'" in str(jobs["report"].trigger)
            assert "day_of_week='0'" in str(jobs["report"].trigger)
            daemon.stop()
    assert told == ["/hook"]


def test_the_daemon_lives_on_when_a_delivery_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """A failure is a log line and another try within the hour; runs go on."""

    def broken() -> list[str]:
        raise UsageError("report.webhook.url_env: the environment has no HOOK, or it is empty")

    daemon = started(Work(fine, 3600, 3600, report_deliver=broken))
    until(lambda: "HOOK" in capsys_text(capsys))
    until(lambda: any(job.id == "report-again" for job in daemon._scheduler.get_jobs()))
    again = next(job for job in daemon._scheduler.get_jobs() if job.id == "report-again")
    assert 3000 < again.next_run_time.timestamp() - time.time() <= 3600
    assert daemon.alive()
    daemon.stop()


_SEEN: list[str] = []


def capsys_text(capsys: pytest.CaptureFixture[str]) -> str:
    """All that was logged so far."""
    _SEEN.append(capsys.readouterr().err)
    return "".join(_SEEN)


def test_the_daemon_serves_the_report(tmp_path: Path) -> None:
    """/report is the page, drawn once and kept; where none can be drawn it says why; else there is none."""
    drawn: list[int] = []
    desk = desk_with(tmp_path)

    def draw() -> str:
        drawn.append(1)
        return reporting.drawn(desk.config, week=WEEK).html

    daemon = started(Work(fine, 3600, 3600, report_page=draw))
    until(lambda: not daemon.view.unready)
    status, body, headers = get(daemon.address, "/report")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"0.02 USD" in body
    assert get(daemon.address, "/report")[1] == body
    assert len(drawn) == 1
    assert b'href="/report"' in get(daemon.address, "/")[1]
    daemon.stop()

    def none() -> str:
        raise UsageError("no run has been committed yet")

    daemon = started(Work(fine, 3600, 3600, report_page=none))
    until(lambda: not daemon.view.unready)
    assert get(daemon.address, "/report")[:2] == (503, b"no report: no run has been committed yet\n")
    daemon.stop()
    daemon = started(Work(fine, 3600, 3600))
    assert get(daemon.address, "/report")[0] == 404
    daemon.stop()


# The config -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ({"mail": {"server": "x", "from": "a@b", "to": []}}, "expected 1 to 50 mail addresses"),
        ({"mail": {"server": "x", "from": "nobody", "to": "a@b"}}, "'nobody' is no mail address"),
        ({"mail": {"server": "x", "from": "a@b", "to": "a@b\r\nBcc: c@d"}}, "is no mail address"),
        ({"mail": {"server": "mail.example.com", "tls": "none", "from": "a@b", "to": "a@b"}}, "sends in the clear"),
        ({"mail": {"server": "x", "user": "u", "from": "a@b", "to": "a@b"}}, "go together"),
        ({"mail": {"server": "x", "port": 70000, "from": "a@b", "to": "a@b"}}, "expected a port from 1 to 65535"),
        ({"webhook": {}}, "the address is named once"),
        ({"webhook": {"url": "file:///etc/passwd"}}, "begins with https://"),
        ({"folders": "x"}, "unknown key"),
    ],
)
def test_config_mistakes(tmp_path: Path, report: dict[str, Any], said: str) -> None:
    """What cannot be delivered to is refused when the config is read."""
    with pytest.raises(ConfigError, match=said):
        Desk(tmp_path, report=report)


def test_secrets_come_from_the_environment(tmp_path: Path) -> None:
    """A variable that is missing is named; what it held is in no text of the target."""
    desk = Desk(tmp_path, report={"webhook": {"url_env": "TEST_HOOK"}})
    with pytest.raises(UsageError, match="the environment has no TEST_HOOK"):
        desk.config.report.targets(tmp_path, {})
    (target,) = desk.config.report.targets(tmp_path, {"TEST_HOOK": "https://hooks.example.com/T0/secret"})
    assert "secret" not in f"{target} {target.name}"


def test_check_says_whom_it_goes_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`orphaned check` names every target, and a variable that is missing is an error there; nothing is sent."""
    desk = Desk(tmp_path, report={"folder": "reports", "webhook": {"url_env": "TEST_HOOK"}})
    monkeypatch.delenv("TEST_HOOK", raising=False)
    (lacking,) = [one for one in findings(desk.config, now_us=T0_US) if "TEST_HOOK" in one.message]
    assert (lacking.level, lacking.place) == ("error", str(desk.config.path))
    monkeypatch.setenv("TEST_HOOK", "http://127.0.0.1:9/secret")
    told = [one for one in findings(desk.config, now_us=T0_US) if "weekly report" in one.message]
    assert [(one.level, one.place.split()[0]) for one in told] == [("ok", "folder"), ("ok", "webhook")]
    assert not (tmp_path / "reports").exists()
