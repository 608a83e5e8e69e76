"""A real Chromium without a window, and a page that remembers what went wrong in it."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

__all__ = ["chromium", "needs_chromium", "watched_page"]

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(_CHROMIUM is None, reason="no Chromium is installed here")
_PATIENCE_MS = 120_000
"""A machine may have other things to do."""
_LOCAL = ("http://127.0.0.1:", "http://localhost:", "file:///", "data:", "about:")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Give a running browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def watched_page(browser: Any, **options: Any) -> Iterator[Any]:
    """Give a page of its own session; fail where a script failed, a dialog opened or another host was asked."""
    context = browser.new_context(**options)
    page = context.new_page()
    page.set_default_timeout(_PATIENCE_MS)
    wrong: list[str] = []

    def asked(url: str) -> None:
        if not url.startswith(_LOCAL):
            wrong.append(f"asked: {url[:100]}")

    def dialog(opened: Any) -> None:
        wrong.append(f"dialog: {opened.message}")
        opened.dismiss()

    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("dialog", dialog)
    page.on("console", lambda message: wrong.extend([message.text] if message.type == "error" else []))
    page.on("request", lambda request: asked(request.url))
    try:
        yield page
    finally:
        context.close()
    assert not wrong, wrong
