"""The report on every screen: phone and desktop, light and dark, with its script and without."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from auditor.model import Run
from reports.html import render
from tests.browser.chromium import DESKTOP, PHONE, Scheme, open_page
from tests.browser.conftest import MANY
from tests.reports import sample_runs
from tests.reports.hostile import NASTY, hostile_run
from tests.reports.many_places import many_places

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("chromium-everywhere"),
    pytest.mark.asyncio(loop_scope="module"),
]

RUNS: dict[str, Callable[[], Run]] = {make.__name__: make for make in sample_runs.ALL} | {
    "hostile-long": partial(hostile_run, NASTY["long"]),
    "hostile-script": partial(hostile_run, NASTY["script"]),
    "hostile-wide": partial(hostile_run, NASTY["wide"]),
}
ROWS = {"demo": 15, "many": MANY}
SCREENS: tuple[tuple[int, Scheme], ...] = (
    (PHONE, "light"),
    (PHONE, "dark"),
    (DESKTOP, "light"),
    (DESKTOP, "dark"),
)
# The worst place, the best one, and what is beside them: all of the demo's would take a minute.
OPEN_SOME = """for (const each of document.querySelectorAll(
  'details.place:first-of-type, details.place:last-of-type, details.more, details.crowd'
)) each.open = true"""
OPEN_ALL = "for (const one of document.querySelectorAll('details')) one.open = true"
SHOWN = "[...document.querySelectorAll('#matrix-table tbody tr')].filter((r) => !r.hidden).length"
AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
# All of WCAG 2.2 A and AA that can be told by a program, and what axe-core calls best practice.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


async def found_by_axe(
    browser: Browser, url: str, width: int, scheme: Scheme, *, opened: bool = True
) -> list[Any]:
    """What axe-core finds: in a second context, since the page's policy forbids every script."""
    async with open_page(browser, width=width, scheme=scheme, bypass_csp=True) as seen:
        await seen.open(url)
        if opened:
            await seen.evaluate(OPEN_SOME)
        await seen.page.add_script_tag(content=AXE)
        found = await seen.page.evaluate(
            "tags => axe.run(document, { runOnly: tags, resultTypes: ['violations'] })", TAGS
        )
        assert len(found["passes"]) > 10
        return [
            (rule["id"], node["target"], node["failureSummary"])
            for rule in found["violations"]
            for node in rule["nodes"]
        ]


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
@pytest.mark.parametrize("name", ROWS)
async def test_it_fits_says_nothing_and_asks_for_nothing(
    browser: Browser, pages: dict[str, str], name: str, width: int, scheme: Scheme
) -> None:
    for script in (True, False):
        async with open_page(browser, width=width, scheme=scheme, script=script) as seen:
            await seen.open(pages[name])

            assert await seen.evaluate(SHOWN) == ROWS[name]
            await seen.assert_fits(f"{name} at {width} px")
            tools = "getComputedStyle(document.getElementById('filter')).display"
            assert (await seen.evaluate(tools) != "none") is script
            seen.assert_quiet(pages[name])


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (PHONE, "dark"),
        (DESKTOP, "light"),
        pytest.param(PHONE, "light", marks=pytest.mark.heavy),
        pytest.param(DESKTOP, "dark", marks=pytest.mark.heavy),
    ],
)
async def test_axe_finds_nothing(
    browser: Browser, pages: dict[str, str], width: int, scheme: Scheme
) -> None:
    assert await found_by_axe(browser, pages["demo"], width, scheme) == []


@pytest.mark.heavy
async def test_axe_finds_nothing_among_places_told_together(
    browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "some.html"
    file.write_text(render(many_places(60), {}), encoding="utf-8")

    assert await found_by_axe(browser, file.as_uri(), PHONE, "dark") == []


@pytest.mark.heavy
@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "dark"), (DESKTOP, "light")])
async def test_axe_finds_nothing_among_five_hundred_places(
    browser: Browser, pages: dict[str, str], width: int, scheme: Scheme
) -> None:
    assert await found_by_axe(browser, pages["many"], width, scheme, opened=False) == []


async def test_axe_would_find_a_fault(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "faulty.html"
    page.write_text(render(sample_runs.all_clean(), {}).replace("<html lang=", "<html data-lang="))

    found = await found_by_axe(browser, page.as_uri(), DESKTOP, "light")
    assert [rule for rule, *_ in found] == ["html-has-lang"]


async def test_the_watch_notices_a_message_a_violation_and_a_request(
    browser: Browser, tmp_path: Path
) -> None:
    page = tmp_path / "loud.html"
    text = render(sample_runs.all_clean(), {})
    page.write_text(text.replace("</main>", "<script>x</script><img src='other.png'></main>"))
    async with open_page(browser) as seen:
        await seen.open(page.as_uri())

        assert any("Content Security Policy" in complaint for complaint in seen.complaints)
        with pytest.raises(AssertionError):
            seen.assert_quiet(page.as_uri())


@pytest.mark.heavy
async def test_every_run_fits_every_width_with_everything_open(
    browser: Browser, tmp_path: Path
) -> None:
    for name, make in RUNS.items():
        file = tmp_path / f"{name}.html"
        file.write_text(render(make(), {}), encoding="utf-8")
        async with open_page(browser) as seen:
            await seen.open(file.as_uri())
            await seen.evaluate(OPEN_ALL)
            for width in (360, 768, 1280, 1920):
                await seen.page.set_viewport_size({"width": width, "height": 900})
                await seen.assert_fits(f"{name} at {width} px")
            seen.assert_quiet(file.as_uri())
