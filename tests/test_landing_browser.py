"""The page at `/` as a person meets it: in a real Chromium, in light and dark, by keyboard, and by screen reader."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from collector.daemon import Daemon, Work
from collector.exporters import landing
from collector.records import LedgerSummary
from tests.chromium import browsing, page_at
from tests.summaries import NOW_US, before_first_run, run_summary, summary

SOUND = replace(summary(), sources=summary().sources[:1], problems=(), runs=())
LEDGERS = {"sound": SOUND, "troubled": summary(), "unread": before_first_run()}
FOCUSED = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  return [one.getAttribute('aria-label') || one.textContent.trim(), style.outlineStyle, parseFloat(style.outlineWidth)];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium for all of these tests."""
    with browsing() as opened:
        yield opened


@contextmanager
def shown(browser: Any, ledger: LedgerSummary, **context: Any) -> Iterator[Any]:
    """The page that a daemon holding this summary serves, in the browser."""
    work = Work(lambda *, bill: run_summary(bill), 3600, 3600)
    holding = Daemon(work, listen="127.0.0.1:0", initial=ledger, now_us=lambda: NOW_US + 60_000_000)
    with holding.serving() as daemon, page_at(browser, f"http://{daemon.address}/", **context) as page:
        yield page


def violations(page: Any) -> list[str]:
    """What axe-core finds wrong with a page: rule and element."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


def tabbed(page: Any) -> list[tuple[str, bool]]:
    """What the Tab key reaches, in order: its name, and whether one sees that it has the focus."""
    found: list[tuple[str, bool]] = []
    while True:
        page.keyboard.press("Tab")
        name, style, width = page.evaluate(FOCUSED)
        seen = (name, style != "none" and width >= 2)
        if seen in found or page.evaluate("document.activeElement === document.body"):
            return found
        found.append(seen)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ledger", LEDGERS)
def test_axe_finds_nothing(browser: Any, ledger: str, scheme: str) -> None:
    """No rule of axe-core is broken, contrast among them, on a wide screen and on a phone."""
    for width in (1200, 360):
        with shown(browser, LEDGERS[ledger], color_scheme=scheme, viewport={"width": width, "height": 800}) as page:
            assert not violations(page)


def test_axe_bites(browser: Any) -> None:
    """Too little contrast, and a table in a landmark of the same name, are found."""
    with shown(browser, summary()) as page:
        page.evaluate("document.documentElement.style.setProperty('--quiet', '#c0c0c0')")
        page.evaluate("document.querySelector('nav').removeAttribute('aria-label')")
        page.evaluate("document.querySelector('h1').remove()")
        assert {one.split(":")[0] for one in violations(page)} >= {"color-contrast", "page-has-heading-one"}


def test_keyboard_reaches_everything_in_order(browser: Any) -> None:
    """Tab leads from the skip link over the links to each table, and one always sees where one is."""
    with shown(browser, summary(), viewport={"width": 360, "height": 800}) as page:
        served = page.locator("nav a").all_text_contents()
        reached = tabbed(page)
    assert {"Metrics", "Health", "Readiness"} <= set(served)
    assert [name for name, _ in reached] == [
        "Skip to the figures", *served, "what is wrong", "Table: Lost spend by window", "Table: Problems",
        "Table: Sources", "Table: Last runs",
    ]  # fmt: skip
    assert all(visible for _, visible in reached)


def test_an_unseen_focus_is_noticed(browser: Any) -> None:
    """The test above bites: without the outline nothing shows where the focus is."""
    with shown(browser, summary()) as page:
        page.add_style_tag(content=":focus-visible { outline: none !important }")
        assert not any(visible for _, visible in tabbed(page))


def test_skip_link_leads_to_the_figures(browser: Any) -> None:
    """The first Tab shows it, Enter goes to the main part, and the next Tab goes on from there."""
    with shown(browser, SOUND) as page:
        page.keyboard.press("Tab")
        assert page.locator(".skip").bounding_box()["x"] >= 0
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUSED)[0] == "Table: Lost spend by window"


def test_screen_reader_hears_an_outline(browser: Any) -> None:
    """Landmarks, headings in order, and tables with their captions are in the tree that a screen reader gets."""
    with shown(browser, summary()) as page:
        tree = page.locator("body").aria_snapshot()
        levels = [int(one.evaluate("one => one.tagName[1]")) for one in page.locator("h1, h2, h3").all()]
    assert levels == [1, 2, 2, 2, 2, 2]
    for landmark in ("banner", "main", "contentinfo", 'navigation "What is served here"', 'region "What is wrong"'):
        assert f"- {landmark}" in tree
    for head in ('columnheader "Lost"', 'rowheader "the last 24 hours"', 'rowheader "backend"', "status"):
        assert head in tree
    assert "- img" not in tree


@pytest.mark.parametrize("ledger", LEDGERS)
def test_a_phone_scrolls_tables_and_not_the_page(browser: Any, ledger: str) -> None:
    """At 320 pixels nothing is wider than the screen but what scrolls by itself."""
    with shown(browser, LEDGERS[ledger], viewport={"width": 320, "height": 800}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_nothing_moves_by_itself(browser: Any) -> None:
    """The page does not load itself again: that would take a reader's place from them."""
    with shown(browser, summary()) as page:
        assert page.locator("meta[http-equiv]").count() == 0
        assert page.locator("script").count() == 0


def test_outside_requests_are_noticed(browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that asks for anything elsewhere fails these tests, even where its policy stops it."""
    real = landing.page

    def asking(*args: Any, **more: Any) -> str:
        return real(*args, **more).replace("</main>", '<img alt="" src="http://192.0.2.1/x.png"></main>')

    monkeypatch.setattr("collector.daemon.page", asking)
    with pytest.raises(AssertionError), shown(browser, SOUND):
        pass
