"""Debian's Chromium, driven by Playwright: one browser for all tests of a module.

Playwright's own downloads are not used. Every page is watched: what it asks for, and what the
browser says of it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

# Nothing of the browser's own may reach the network: the tests count requests. As root, Chromium
# starts without its sandbox only; what it opens here are files of our own.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--no-pings",
)
PHONE, DESKTOP = 390, 1440
Scheme = Literal["light", "dark"]


@dataclass
class Watched:
    """A page, and what was noticed while it was open.

    Attributes:
        page: of Playwright.
        requests: every address that was asked for.
        complaints: console messages, exceptions, and violations of the page's policy.
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def open(self, url: str) -> None:
        await self.page.goto(url, wait_until="load")

    async def evaluate(self, expression: str) -> Any:  # whatever the script returns
        return await self.page.evaluate(expression)

    def assert_quiet(self, url: str) -> None:
        """No message, no violation of the policy, and no request but for the file itself."""
        assert self.complaints == []
        assert {found for found in self.requests if found != "data:,"} == {url}

    async def assert_fits(self, name: str) -> None:
        """Nothing is wider than the screen."""
        over = await self.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert over <= 0, f"{name} overflows by {over} px"


@asynccontextmanager
async def open_browser(program: Path) -> AsyncIterator[Browser]:
    """Start it, without a window."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def open_page(
    browser: Browser,
    *,
    width: int = DESKTOP,
    scheme: Scheme = "light",
    script: bool = True,
    bypass_csp: bool = False,
) -> AsyncIterator[Watched]:
    """Open an empty page of its own, which shares nothing with any other."""
    context = await browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        java_script_enabled=script,
        bypass_csp=bypass_csp,
    )
    try:
        yield await _watch(context)
    finally:
        await context.close()


async def _watch(context: BrowserContext) -> Watched:
    watched = Watched(await context.new_page())
    page = watched.page
    page.on("request", lambda request: watched.requests.append(request.url))
    page.on("console", lambda message: watched.complaints.append(message.text))
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    # What Playwright does not report: the panel of issues, where a policy's violations are, and
    # its log for a page whose script is off.
    session = await context.new_cdp_session(page)
    session.on("Audits.issueAdded", lambda found: _note_issue(watched, found))
    session.on("Log.entryAdded", lambda found: watched.complaints.append(found["entry"]["text"]))
    await session.send("Audits.enable")
    await session.send("Log.enable")
    return watched


def _note_issue(watched: Watched, found: dict[str, Any]) -> None:
    if found["issue"]["code"] == "ContentSecurityPolicyIssue":
        watched.complaints.append(json.dumps(found))
