"""A real Chromium for scenarios; any console error, page error or request to another host fails the test."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from run import find_browser

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = find_browser()
    if path is None:
        why = "no Chrome, Chromium or Edge found: install one, or name it in VILLAGEMAP_BROWSER"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A window of its own for one test, a Chinese laptop's size."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN")
    context.set_default_timeout(10_000)
    yield context
    context.close()


class Faults(list[str]):
    """What went wrong in a page; ``expected`` are console words that a test provokes itself."""

    expected: str = "\0"

    def note(self, words: str) -> None:
        if self.expected not in words:
            self.append(words)


def is_here(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme in {"file", "data", "blob", "about"} or parts.hostname in {"127.0.0.1", "localhost"}


def watch(page: Page, faults: Faults) -> Page:
    """Note every error of a page and every request that leaves this machine."""
    page.on("pageerror", lambda error: faults.note(f"page error: {error}"))
    page.on("console", lambda said: faults.note(f"console: {said.text}") if said.type == "error" else None)
    page.on("request", lambda asked: None if is_here(asked.url) else faults.note(f"request: {asked.url}"))
    return page


@pytest.fixture
def faults() -> Iterator[Faults]:
    faults = Faults()
    yield faults
    assert faults == []


@pytest.fixture
def page(context: BrowserContext, faults: Faults) -> Page:
    return watch(context.new_page(), faults)
