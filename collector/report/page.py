"""The report as pages of HTML: one whole file for a browser and the printer, and a plain one for mail.

Figures and pictures come in; text goes out, without scripts and without anything from the network. Every text
that a log may hold is escaped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from collector import __version__
from collector.records import instant_text
from collector.report import sentences, stories, tables
from collector.report.charts import Picture
from collector.report.figures import Figures, Money, Row
from collector.report.words import amount, instant

if TYPE_CHECKING:
    from jinja2 import Template

OTHER_ORPHANS_MAX = 3  # of a currency beside the headline's


@dataclass(frozen=True, slots=True)
class Orphan:
    """One of the dearest, in words; `bounds` is empty where the amount is known exactly."""

    call_id: str
    lost: str
    bounds: str
    basis: str
    story: str


def html(figures: Figures, drawn: Sequence[tuple[str, Sequence[Picture]]]) -> str:
    """The whole report. `drawn`: the pictures of each currency."""
    from markupsafe import Markup

    def svg(picture: Picture) -> Markup:
        return Markup(picture.svg())  # noqa: S704 - our own drawing; the texts in it were escaped as it was drawn

    css = Markup(_text("page.css"))  # noqa: S704 - our own file
    return _template("report.html").render(**_told(figures, drawn), css=css, svg=svg)


def mail_html(figures: Figures, drawn: Sequence[tuple[str, Sequence[Picture]]], place: Callable[[Picture], str]) -> str:
    """What a mail shows: the sentences, and the pictures from the address that `place` gives each."""
    return _template("mail.html").render(**_told(figures, drawn), place=place)


def plain(figures: Figures) -> str:
    """What the mail says to programs that show no HTML, and the webhook to people: the sentences that matter most."""
    lines = [" ".join(sentences.summary(figures))]
    lines += [sentences.headline(figures, money) for money in figures.monies[1:] if money.standing]
    for money in figures.monies:
        lines += [f"{number}. {stories.title(one)}. {stories.saving(one, money.currency)} {stories.why(one)}"
                  for number, one in enumerate(money.changes, 1)]  # fmt: skip
    return "\n".join(lines)


def title(figures: Figures) -> str:
    """The report in one line: a subject, a heading."""
    return f"Orphaned inference {figures.week.name}: {figure(figures)}"


def figure(figures: Figures) -> str:
    """The number alone."""
    money = _headline_money(figures)
    if not figures.known or money is None or money.weeks[-1].spend is None:
        return "unknown"
    if figures.unknown and not money.now.best_nano:
        return "unknown"
    return amount(money.now.best_nano, money.currency)


def _headline_money(figures: Figures) -> Money | None:
    return next((one for one in figures.monies if one.currency == figures.currency), None)


def _told(figures: Figures, drawn: Sequence[tuple[str, Sequence[Picture]]]) -> dict[str, Any]:
    """All that either page says, in words."""
    pictures = dict(drawn)
    shown = [one for one in figures.monies if one.currency == figures.currency or one.weeks[-1].spend is not None]
    shown = [one for one in shown if one.currency == figures.currency or _has_figures(one)]
    return {
        "version": __version__,
        "week": figures.week,
        "known": instant(figures.known_us),
        "as_of": instant_text(figures.known_us),
        "under_way": figures.under_way,
        "title": title(figures),
        "figure": figure(figures),
        "summary": [*sentences.summary(figures), *filter(None, [stories.foremost(shown[0])] if shown else [])],
        "parts": [_part(figures, one, pictures.get(one.currency, ())) for one in shown],
        "problems": sentences.problems(figures),
    }


def _has_figures(money: Money) -> bool:
    return bool(money.standing or money.bill or any(one.spend and one.spend.high_nano for one in money.weeks))


def _part(figures: Figures, money: Money, pictures: Sequence[Picture]) -> dict[str, Any]:
    """What the page says of one currency."""
    headline = money.currency == figures.currency
    dearest = money.dearest if headline else money.dearest[:OTHER_ORPHANS_MAX]
    return {
        "currency": money.currency,
        "lost": bool(money.now.best_nano),
        "pictures": pictures,
        "headline": sentences.headline(figures, money),
        "change": sentences.change(money, under_way=figures.under_way),
        "whose": tables.whose(money),
        "models": tables.models(money),
        "avoidable": sentences.avoidable(money),
        "changes": [
            {"title": stories.title(one), "saving": stories.saving(one, money.currency), "why": stories.why(one)}
            for one in money.changes
        ],
        "changes_total": stories.changes_total(money),
        "no_change": stories.no_change(money),
        "trend": sentences.trend(money),
        "weeks": tables.weeks(money),
        "corrections": sentences.corrections(money),
        "orphans": [_orphan(row) for row in dearest],
        "sureness": list(sentences.sureness(money)),
        "evidence": tables.evidence(money),
        "bill": list(sentences.bill(figures, money)),
        "bill_table": tables.bill(money),
        "inference": tables.inference(money),
        "unsettled": list(sentences.unsettled(figures, money)),
    }


def _orphan(row: Row) -> Orphan:
    low, high = row["orphaned_low_nano"], row["orphaned_high_nano"]
    sure = low == high == row["orphaned_nano"]
    return Orphan(
        call_id=row["call_id"],
        lost=amount(row["orphaned_nano"], row["currency"]),
        bounds="" if sure else f"{amount(low, row['currency'])} to {amount(high, row['currency'])}",
        basis=row["basis"] or "of unknown basis",
        story=" ".join(stories.story(row)),
    )


@cache
def _template(name: str) -> "Template":
    from jinja2 import Environment, StrictUndefined

    rules = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_unbroken
    )
    return rules.from_string(_text(name))


def _unbroken(value: Any) -> Any:
    """A percentage stays on one line."""
    return value.replace(" %", "\N{NO-BREAK SPACE}%") if type(value) is str else value


def _text(name: str) -> str:
    return files("collector.report").joinpath(name).read_text(encoding="utf-8")
