"""Five hundred places are ready at once: compared with the same page as plain text, in one run.

A bare time says more of what else the machine does than of the page. `python -m tests.bench` does
not need a browser; the absolute times are printed here (`pytest -s`).
"""

from __future__ import annotations

import re
import statistics
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.browser.chromium import open_page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("chromium-report"),
    pytest.mark.asyncio(loop_scope="module"),
]

ROUNDS = 3
# Generous: what is to be noticed is a page that lays out each row twice, or builds rows by script.
MOST = 8.0
# In milliseconds since the navigation began, once what was asked for is painted.
PAINTED = """new Promise((done) => requestAnimationFrame(() =>
  setTimeout(() => done(performance.now()))))"""
# The reader's first deed: to filter. It counts as done when the count says so, on the screen.
FILTERED = """(async () => {
  const box = document.getElementById('filter-text');
  box.value = 'stuck';
  box.dispatchEvent(new Event('input', { bubbles: true }));
  if (!document.getElementById('filter-count').value.startsWith('36 of 500')) return NaN;
  return await %s;
})()"""


def plain_text_of(page: Path, home: Path) -> str:
    """Write the words of a page, filled up to its size, and return the address."""
    text = page.read_text("utf-8")
    words = re.sub(r"<[^>]*>", " ", text)
    filler = " ".join(["word"] * ((len(text) - len(words)) // 5))
    floor = home / "floor.html"
    floor.write_text(f"<!doctype html><title>floor</title><p>{words}<p>{filler}")
    return floor.as_uri()


async def took_ms(browser: Browser, url: str, script: str) -> float:
    async with open_page(browser) as seen:
        await seen.open(url)
        return float(await seen.evaluate(script))


@pytest.mark.heavy
async def test_five_hundred_places_are_ready_at_once(
    browser: Browser, pages: dict[str, str], tmp_path: Path
) -> None:
    floor_page = plain_text_of(Path(pages["many"].removeprefix("file://")), tmp_path)

    ready, floor = [], []
    for _ in range(ROUNDS):
        ready.append(await took_ms(browser, pages["many"], FILTERED % PAINTED))
        floor.append(await took_ms(browser, floor_page, PAINTED))
    ratio = statistics.median(a / b for a, b in zip(ready, floor, strict=True))
    print(f"500 places: ready after {min(ready):.0f} ms, plain text {min(floor):.0f} ms")

    assert ratio < MOST, f"{ready} ms, plain text of the same size {floor} ms"
