"""Fixtures for tests in a real browser: the Chromium of the system, headless and without a network.

A test module has them by ``pytest_plugins = ["browser"]``. Without a browser its tests are skipped, unless
the environment variable REQUIRE_BROWSER is set.
"""

from __future__ import annotations

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def chromium():
    """Return a running browser; it ends with its module, as its event loop would be in the way of other tests."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        message = f"no browser is installed; looked for {', '.join(NAMES)}"
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Containers have no namespaces for the sandbox, and little shared memory.
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


class Visit:
    """A page that is open in the browser.

    Attributes:
        page: The page of Playwright.
        requests: Addresses of everything that it asked for, but for what it carries itself.
        messages: Errors and warnings of its console.
    """

    def __init__(self, page):
        self.page, self.requests, self.messages = page, [], []
        page.on("request", self._request)
        page.on("console", self._message)
        page.on("pageerror", lambda error: self.messages.append(str(error)))

    def _request(self, request):
        if not request.url.startswith(("data:", "blob:")):
            self.requests.append(request.url)

    def _message(self, message):
        if message.type in ("error", "warning"):
            self.messages.append(message.text)

    def violations(self):
        """Return what axe finds wrong: rule, and the elements."""
        from axe_playwright_python.sync_playwright import Axe

        options = {"runOnly": {"type": "tag", "values": WCAG}, "resultTypes": ["violations"]}
        found = Axe().run(self.page, options=options).response["violations"]
        return [(each["id"], [node["html"][:200] for node in each["nodes"]][:5]) for each in found]


@pytest.fixture
def visit(chromium):
    """Return a function that opens a file in a fresh window of the browser."""
    contexts = []

    def opened(path, *, width=1440, height=900, scheme="light", anchor="", script=True):
        context = chromium.new_context(
            offline=True,
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            reduced_motion="reduce",
            java_script_enabled=script,
        )
        contexts.append(context)
        visit = Visit(context.new_page())
        visit.page.goto(f"file://{path}{anchor}")
        return visit

    yield opened
    for context in contexts:
        context.close()
