"""Debian's Chromium, headless, led by playwright; pages are loaded from loopback and nothing else may be asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.tools import need

LOOPBACK = "http://127.0.0.1:"


@contextmanager
def browsing() -> Iterator[Any]:
    """A browser (playwright's Browser) with a profile of its own; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = need("chromium", "chromium")
    with playwright.sync_playwright() as led:
        browser = led.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_at(browser: Any, address: str, **context: Any) -> Iterator[Any]:
    """The page (playwright's Page) at an address on loopback, loaded; whatever it logs or asks elsewhere fails."""
    opened = browser.new_context(**context)
    page = opened.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    try:
        page.goto(address)
        yield page
        assert all(url.startswith(LOOPBACK) for url in asked)
        assert not said
    finally:
        opened.close()
