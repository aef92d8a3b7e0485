"""A real headless Chromium, where there is one."""

import contextlib
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_browser():
    """Give the browser's program; skip the test, loudly, where there is none."""
    pytest.importorskip("playwright.sync_api", reason="NO BROWSER WAS TRIED: pip install playwright")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("NO BROWSER WAS TRIED: install Debian's chromium, or put a Chrome on PATH")
    return program


@contextlib.contextmanager
def chromium():
    """Start the browser."""
    program = find_browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()
