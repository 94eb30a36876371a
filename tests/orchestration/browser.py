"""Chromium, for tests that click in a page as people do."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, sync_playwright

# The UI loads slowly while builds take all of the machine.
PATIENCE_MS = 120_000


@contextmanager
def browser_page() -> Iterator[Page]:
    """A page of a new browser, for as long as the block lasts. Without a browser CI fails, and people are told."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        missing = "There is no chromium on the PATH (on Debian: apt-get install chromium)."
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        try:
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.set_default_timeout(PATIENCE_MS)
            yield page
        finally:
            browser.close()
