"""What one can do with the report: filter, sort, follow a link, copy, use the keyboard, print."""

from __future__ import annotations

import re
import urllib.parse
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from reports.html import render
from tests.browser.chromium import PHONE, Watched, open_page
from tests.browser.conftest import MANY
from tests.reports import sample_runs
from tests.reports.many_places import many_places

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("chromium-report"),
    pytest.mark.asyncio(loop_scope="module"),
]

ROWS = "#matrix-table tbody tr"
NAMES = f"{ROWS} .name"
ONE = "clean-mirror-477"


@pytest.fixture
def world(tmp_path: Path) -> str:
    path = tmp_path / "report.html"
    path.write_text(render(sample_runs.world(), {}), encoding="utf-8")
    return path.as_uri()


async def shown(seen: Watched) -> int:
    return await seen.page.locator(f"{ROWS}:visible").count()


@pytest.mark.parametrize("name", ["demo", "many"])
async def test_the_filter_shows_what_fits_and_stands_in_the_address(
    browser: Browser, pages: dict[str, str], name: str
) -> None:
    async with open_page(browser) as seen:
        await seen.open(pages[name])
        every = await seen.page.locator(ROWS).count()
        await seen.page.get_by_label("Find").fill("STUCK")
        fitting = await shown(seen)
        assert 0 < fitting < every
        await expect(seen.page.locator("#filter-count")).to_have_text(f"{fitting} of {every} shown")
        assert urllib.parse.urlsplit(seen.page.url).fragment == "find=STUCK"

        await seen.page.locator("#filter-status").select_option("clean")
        assert await shown(seen) == 0
        await seen.page.get_by_role("button", name="Show all").click()
        await expect(seen.page.locator("#filter-count")).to_have_text(f"{every} of {every} shown")
        assert await shown(seen) == every
        seen.assert_quiet(pages[name])


async def test_a_link_with_a_filter_shows_what_it_says(browser: Browser, world: str) -> None:
    async with open_page(browser) as seen:
        await seen.open(f"{world}#status=exposed")

        assert await shown(seen) == 5


@pytest.mark.parametrize("name", ["demo", "many"])
async def test_each_heading_sorts_up_and_down(
    browser: Browser, pages: dict[str, str], name: str
) -> None:
    async with open_page(browser) as seen:
        await seen.open(pages[name])
        heading = seen.page.locator("[data-sort=name]")
        await heading.get_by_role("button").click()
        rising = await seen.page.locator(NAMES).all_text_contents()
        assert rising == sorted(rising)
        await expect(heading).to_have_attribute("aria-sort", "ascending")
        await heading.get_by_role("button").click()
        assert await seen.page.locator(NAMES).all_text_contents() == rising[::-1]
        await expect(heading).to_have_attribute("aria-sort", "descending")
        await seen.page.locator("[data-sort=rank]").get_by_role("button").click()
        statuses = await seen.page.locator(ROWS).evaluate_all(
            "rows => [...new Set(rows.map((row) => row.dataset.status))]"
        )
        assert statuses[0] == "tampered"
        assert statuses[-1] == "clean"


async def test_a_deep_link_opens_its_place_even_behind_a_filter(
    browser: Browser, world: str
) -> None:
    async with open_page(browser) as seen:
        await seen.open(f"{world}#find=stuck")
        await seen.evaluate("location.hash = '#loc-down'")

        await expect(seen.page.locator("#loc-down")).to_be_in_viewport()
        assert await shown(seen) == 15


async def test_the_drawing_leads_to_the_reasons_of_a_place(
    browser: Browser, pages: dict[str, str]
) -> None:
    async with open_page(browser) as seen:
        await seen.open(pages["demo"])
        await seen.page.locator(".picture a", has_text="stuck-mirror").first.click()
        await expect(seen.page.locator("#loc-stuck-mirror")).to_be_in_viewport()


async def test_a_phone_gets_a_list_instead_of_the_drawing(
    browser: Browser, pages: dict[str, str]
) -> None:
    async with open_page(browser, width=PHONE) as seen:
        await seen.open(pages["demo"])
        await expect(seen.page.locator(".picture")).to_be_hidden()
        await expect(seen.page.locator(".tree .name").first).to_be_visible()


async def test_copy_puts_the_command_on_the_clipboard(browser: Browser, world: str) -> None:
    async with open_page(browser) as seen:
        await seen.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await seen.open(world)
        button = seen.page.locator(".todo .copy").first
        await button.click()

        await expect(button).to_have_text("Copied")
        await expect(seen.page.locator("#copied")).to_have_text("The command was copied.")
        assert await seen.evaluate("navigator.clipboard.readText()") == (
            "bandersnatch --config mirror.conf verify"
        )
        seen.assert_quiet(world)


async def test_it_can_be_used_by_keyboard_alone(browser: Browser, world: str) -> None:
    async with open_page(browser) as seen:
        await seen.open(world)
        await seen.page.keyboard.press("Tab")
        await expect(seen.page.locator(".skip").first).to_be_focused()
        await seen.page.keyboard.press("Enter")
        await expect(seen.page.locator("#main")).to_be_focused()

        reached = set()
        for _ in range(120):
            await seen.page.keyboard.press("Tab")
            tag, outline = await seen.evaluate(
                "[document.activeElement.tagName,"
                " getComputedStyle(document.activeElement).outlineStyle]"
            )
            reached.add(tag)
            assert tag == "BODY" or outline != "none"
        assert {"A", "INPUT", "SELECT", "BUTTON", "SUMMARY"} <= reached

        place = seen.page.locator("details.place").first
        await place.locator("summary").first.focus()
        await seen.page.keyboard.press("Enter")
        await expect(place.locator(".body")).to_be_visible()
        sort = seen.page.locator("[data-sort=name] button")
        await sort.focus()
        await seen.page.keyboard.press("Space")
        await expect(seen.page.locator("[data-sort=name]")).to_have_attribute(
            "aria-sort", "ascending"
        )


@pytest.mark.parametrize("script", [True, False])
async def test_paper_shows_what_is_folded_on_the_screen(
    browser: Browser, world: str, script: bool
) -> None:
    async with open_page(browser, script=script) as seen:
        await seen.open(world)
        paper = pages_of(await seen.page.pdf(format="A4"))
        await seen.page.emulate_media(media="print")

        assert await seen.evaluate("document.querySelector('.place .body').offsetHeight") > 100
        assert await seen.evaluate("document.querySelector('nav.jump').offsetHeight") == 0
        assert paper > 10


def pages_of(pdf: bytes) -> int:
    """Pages of what was printed: each is an object of this type (ISO 32000, 7.7.3.3)."""
    assert pdf.startswith(b"%PDF-")
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


async def test_a_place_among_many_is_found_and_shows_its_own_evidence(
    browser: Browser, pages: dict[str, str]
) -> None:
    wanted = next(v for v in many_places(MANY).verdicts if v.location.name == ONE)
    async with open_page(browser) as seen:
        await seen.open(f"{pages['many']}#find={ONE}")
        assert await shown(seen) == 1
        assert await seen.page.locator("details.place:visible").count() == 1

        await seen.evaluate(f"location.hash = '#loc-{ONE}'")
        row = seen.page.locator(f"#loc-{ONE}")
        await row.get_by_role("button", name=f"Evidence of {ONE}").click()
        commands = seen.page.locator(f"#loc-{ONE} + tr .command code")
        await expect(commands).to_have_count(len(wanted.evidence))
        assert await commands.all_text_contents() == [e.reproduce for e in wanted.evidence]
        seen.assert_quiet(pages["many"])


async def test_without_its_script_a_place_can_still_be_linked_and_read(
    browser: Browser, pages: dict[str, str]
) -> None:
    async with open_page(browser, script=False) as seen:
        await seen.open(f"{pages['many']}#loc-{ONE}")

        assert await seen.page.locator(ROWS).count() == MANY
        text = await seen.page.locator(f"#loc-{ONE}").inner_text()
        assert f"http://{ONE}.example/simple/" in text
        assert await seen.page.locator(".copy:not([hidden])").count() == 0
        seen.assert_quiet(pages["many"])
