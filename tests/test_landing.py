"""The page at `/`: says what the summary says, in words, and never more."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from collector.exporters.landing import money, page, percent, span
from collector.records import RunRecord, Series, WindowSpend
from tests.summaries import HOUR_US, NOW_US, before_first_run, summary, window

MINUTE_US = 60_000_000


class Tags(HTMLParser):
    """Counts tags and keeps what they load or link to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.scopes: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes one tag."""
        self.tags.append(tag)
        self.links += [text or "" for name, text in attrs if name in {"href", "src"}]
        if tag == "th":
            self.scopes.append(dict(attrs).get("scope"))


def tags(html: str) -> Tags:
    """The tags of a page."""
    parser = Tags()
    parser.feed(html)
    return parser


def test_headline_says_figure_bounds_and_share() -> None:
    """The best figure of 7 days stands in words with bounds, currency and share of all inference."""
    html = page(summary(), NOW_US)
    assert "12.00 USD" in html
    assert "between 6.00 and 24.00 USD" in html
    assert "3.0 % of all inference spend" in html


def test_before_the_first_run_nothing_is_zero() -> None:
    """A collector that has read nothing says so, names its sources, and shows no amount."""
    for nothing in (None, before_first_run()):
        html = page(nothing, NOW_US)
        assert "Nothing read yet" in html
        assert "0.00" not in html
        assert "Nothing: every source works" not in html
    assert "never read so far" in page(before_first_run(), NOW_US)


def test_without_spend_the_page_says_none_was_found() -> None:
    """A run that found no inference spend at all is told apart from no run."""
    html = page(replace(summary(), windows=()), NOW_US)
    assert "No inference spend was found" in html
    assert "Nothing read yet" not in html


def test_texts_from_outside_are_escaped() -> None:
    """Whatever stands in a log line cannot become part of the page."""
    html = page(summary(), NOW_US, trouble="<img src=x>")
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "cannot read &lt;b&gt;x&lt;/b&gt;" in html


def test_page_loads_nothing_from_the_network() -> None:
    """No script, and every link leads to this page or to a path that is served."""
    found = tags(page(summary(), NOW_US, paths=["/", "/metrics", "/healthz", "/readyz"]))
    assert "script" not in found.tags
    assert "link" not in found.tags
    assert set(found.links) == {"#main", "#wrong", "/metrics", "/healthz", "/readyz"}
    assert "/report" in tags(page(summary(), NOW_US, paths=["/", "/report"])).links


def test_page_is_accessible() -> None:
    """It has a language, landmarks, one first heading, captions, and a scope on every table header."""
    html = page(summary(), NOW_US)
    found = tags(html)
    assert '<html lang="en">' in html
    assert {"header", "nav", "main", "footer"} <= set(found.tags)
    assert found.tags.count("h1") == 1
    assert found.tags.count("caption") == found.tags.count("table") == 4
    assert set(found.scopes) <= {"col", "row"}
    assert "prefers-color-scheme: dark" in html


def test_freshness_is_told() -> None:
    """The age of the figures, how far the bill is settled, and each source's lag are there."""
    html = page(summary(), NOW_US + 5 * MINUTE_US)
    assert "as of 2026-11-25 09:46 UTC, 5 minutes ago" in html
    assert "account acme-prod, is settled through 2026-11-23 07:46 UTC" in html
    assert ">6 minutes</td>" in html
    assert "No bill is settled yet" in page(replace(summary(), families={}), NOW_US)


def test_what_is_wrong_is_told() -> None:
    """Problems with count and example, sources that are down, and the last broken invariant are named."""
    html = page(summary(), NOW_US, trouble="the ledger is held by process 7")
    assert "bad_line" in html
    assert "Source <strong>backend</strong> is down" in html
    assert "The books last did not add up at 2026-11-25 08:46 UTC" in html
    assert "the ledger is held by process 7" in html


def test_when_nothing_is_wrong_the_page_says_so() -> None:
    """Only a summary without problem, outage or broken run says that nothing is wrong."""
    good = replace(summary(), sources=summary().sources[:1], problems=(), runs=summary().runs[:1])
    assert "Nothing: every source works" in page(good, NOW_US)
    assert "Nothing: every source works" not in page(good, NOW_US, trouble="late")


def test_currencies_stand_side_by_side() -> None:
    """Another currency gets its own rows after the headline's, and nothing is added up."""
    spend: tuple[WindowSpend, ...] = (window("7d", best=5, total=10, currency="EUR"), *summary().windows)
    html = page(replace(summary(), windows=spend), NOW_US)
    assert html.index("<td>USD</td>") < html.index("<td>EUR</td>")
    assert "50.0 %" in html
    assert "17.00" not in html


def test_runbooks_it_names_are_there() -> None:
    """Every runbook on the page is a file of this repository."""
    named = set(re.findall(r"rules/runbooks/(\w+)\.md", page(summary(), NOW_US)))
    assert len(named) == 2
    held = {path.stem for path in (Path(__file__).parents[1] / "rules" / "runbooks").glob("*.md")}
    assert named <= held


def test_evidence_of_the_day_is_told() -> None:
    """Amounts of the last 24 hours by evidence and basis stand below the figure, the largest first."""
    told = (
        Series(("1d", "probable", "estimated", "USD"), 3 * 10**9), Series(("1d", "exact", "billed", "USD"), 9 * 10**9),
        Series(("7d", "exact", "billed", "USD"), 10**12), Series(("1d", "exact", "billed", "EUR"), 10**12),
    )  # fmt: skip
    html = page(replace(summary(), families={**summary().families, "window_evidence_spend": told}), NOW_US)
    assert "9.00 USD joined by an id and billed, 3.00 USD joined by time and size and estimated" in html
    assert "How it was obtained" not in page(summary(), NOW_US)
    counted = page(replace(summary(), evidence={"exact": 1200, "none": 3}, verdicts={"unmatched": 3}), NOW_US)
    assert "1,200 joined by an id, 3 without evidence. Of these, 3 found no completion" in counted


def test_bounds_are_drawn_only_where_there_are_two() -> None:
    """A figure between its bounds is a mark on a line; where the evidence leaves no room, there is no line."""
    assert 'class="best" x="331"' in page(summary(), NOW_US)
    sure = tuple(replace(one, low_nano=one.best_nano, high_nano=one.best_nano) for one in summary().windows)
    html = page(replace(summary(), windows=sure), NOW_US)
    assert "<svg" not in html
    assert "both bounds are this figure" in html


def test_state_is_amber_only_for_what_needs_a_person() -> None:
    """Wrong lines alone leave the page calm; a source that is down, or broken books, do not."""
    lines = replace(summary(), sources=summary().sources[:1], runs=summary().runs[:1])
    assert "Every source works, and the books add up." in page(lines, NOW_US)
    assert "not as they should be" in page(lines, NOW_US)
    for troubled in (replace(lines, sources=summary().sources), replace(lines, runs=summary().runs)):
        assert "Something needs a look" in page(troubled, NOW_US)
    assert "The last run did not succeed" in page(lines, NOW_US, trouble="late")


def test_last_runs_are_told() -> None:
    """The newest five runs stand with what became of them, the newest first."""
    runs = tuple(RunRecord(number, NOW_US, "ok", 180, 1200) for number in range(1, 9))
    html = page(replace(summary(), runs=runs), NOW_US)
    assert re.findall(r'<th scope="row">(\d+)</th>', html) == ["8", "7", "6", "5", "4"]
    assert "rolled back: the books did not add up" in page(summary(), NOW_US)
    assert ">1,200</td>" in html


@pytest.mark.parametrize(
    ("nano", "shown"),
    [(0, "0.00"), (1_234_567_890_123, "1,234.57"), (1_234_567, "0.001235")],
)
def test_money_for_people(nano: int, shown: str) -> None:
    """Two decimals, or six where two would say zero."""
    assert money(nano) == shown


def test_share_of_nothing_is_not_zero() -> None:
    """Without inference spend there is no share."""
    assert percent(0, 0) == ""
    assert percent(1, 3) == "33.3 %"


@pytest.mark.parametrize(
    ("length_us", "words"),
    [(0, "under a second"), (1_000_000, "1 second"), (90 * MINUTE_US, "1 hour"), (49 * HOUR_US, "2 days")],
)
def test_spans_in_words(length_us: int, words: str) -> None:
    """A length of time is told in its largest whole unit."""
    assert span(length_us) == words
