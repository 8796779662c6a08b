"""A report as messages: one mail with its pictures and files, one message in Slack's format.

A `Report` comes in; a mail or a JSON value goes out. Nothing is sent here.
"""

from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from collector.report import page, sentences, stories
from collector.report.charts import Picture
from collector.report.document import CSV, HTML, PDF, Report
from collector.report.targets import MailTarget

HEADER_CHARS_MAX = 150  # Slack's limits
SECTION_CHARS_MAX = 3_000


def mail(report: Report, target: MailTarget) -> EmailMessage:
    """The mail: sentences and pictures in it, page, PDF and table attached. The same week has the same Message-ID.

    Raises OperatingError where the PDF cannot be drawn.
    """
    found = report.figures
    domain = target.sender.rpartition("@")[2].strip(" >") or "localhost"
    note = EmailMessage(policy=policy.SMTP)
    note["Subject"] = page.title(found)
    note["From"] = target.sender
    note["To"] = ", ".join(target.recipients)
    note["Date"] = format_datetime(datetime.fromtimestamp(found.known_us // 1_000_000, UTC))
    # A mail that is sent again because nobody knows whether it arrived is the same mail.
    note["Message-ID"] = f"<orphaned-report-{found.week.name}@{domain}>"
    # Lines of a mail have 998 characters at most, and those of a page more.
    note.set_content(page.plain(found), cte="quoted-printable")
    drawn = [(f"{currency}-{one.name}", one) for currency, pictures in report.pictures for one in pictures]
    ids = {id(one): f"{name}@orphaned" for name, one in drawn}
    html = page.mail_html(found, report.pictures, lambda one: f"cid:{ids[id(one)]}")
    note.add_alternative(html, subtype="html", cte="quoted-printable")
    for name, one in drawn:
        _add_picture(note, one, f"{name}.png", ids[id(one)])
    note.add_attachment(report.html.encode(), maintype="text", subtype="html", filename=HTML)
    note.add_attachment(report.pdf, maintype="application", subtype="pdf", filename=PDF)
    note.add_attachment(report.csv, maintype="text", subtype="csv", filename=CSV)
    return note


def _add_picture(note: EmailMessage, picture: Picture, filename: str, content_id: str) -> None:
    """Beside the HTML, which shows it by its id."""
    html = next(part for part in note.walk() if part.get_content_type() == "text/html")
    html.add_related(picture.png(), maintype="image", subtype="png", cid=f"<{content_id}>", filename=filename)


def slack(report: Report, link: str | None) -> dict[str, Any]:
    """The message for a webhook: a heading, the first sentences, the changes; `link` leads to the whole report."""
    found = report.figures
    summary = " ".join(sentences.summary(found))
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(page.title(found), HEADER_CHARS_MAX)}},
        _section(escaped(summary)),
    ]
    blocks += [_section(escaped(sentences.headline(found, one))) for one in found.monies[1:] if one.standing]
    for money in found.monies:
        for number, one in enumerate(money.changes, 1):
            words = f"*{number}. {escaped(stories.title(one))}*\n{escaped(stories.saving(one, money.currency))}"
            blocks.append(_section(f"{words} {escaped(stories.why(one))}"))
    if link is not None:
        blocks.append(_section(f"<{escaped(link)}|The whole report>"))
    return {"text": escaped(f"{page.title(found)}. {summary}"), "blocks": blocks}


def escaped(text: str) -> str:
    """Text in which Slack finds no link, mention or markup of its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, SECTION_CHARS_MAX)}}


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
