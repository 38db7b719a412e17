"""One browser for a module, and the two reports that most tests open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from auditor.cli.main import main
from reports.html import render
from tests.browser.chromium import open_browser
from tests.real_programs import require
from tests.reports.many_places import many_places

MANY = 500


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, without its own network."""
    async with open_browser(require("chromium")) as browser:
        yield browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Addresses of the demo's report, and of one of five hundred places."""
    home: Path = tmp_path_factory.mktemp("pages")
    demo, many = home / "demo.html", home / "many.html"
    assert main(["demo", "-o", str(demo), "-q", "--no-progress"]) == 0
    many.write_text(render(many_places(MANY), {}), encoding="utf-8")
    return {"demo": demo.as_uri(), "many": many.as_uri()}
