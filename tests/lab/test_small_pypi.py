"""PyPI in small: what stands in front of it shows, hides and ages each object apart."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from auditor.lab.delivery import Gateway, Variant
from auditor.lab.pypi import SmallPypi
from auditor.lab.story import BROKEN, Story, play

from .conftest import HTML, JSON, NOW, Ask


def small() -> tuple[SmallPypi, Story]:
    server = SmallPypi(now=NOW)
    return server, play(server.index, NOW)


@pytest.mark.parametrize("variant", [v for v in Variant if v is not Variant.LEGACY])
async def test_one_object_that_missed_its_purge_leaves_the_others_true(
    variant: Variant, ask: Ask
) -> None:
    server, story = small()
    server.network.stale[variant] = story.before_fix
    shown: dict[Variant, bool] = {}
    async with server:
        for accept in (JSON, HTML):
            for coding in ("gzip", "identity"):
                url = f"{server.pages.simple_url}brokenpkg/"
                answer = await ask(url, Accept=accept, Accept_Encoding=coding)
                key = Variant.of(is_json=accept == JSON, gzip=coding == "gzip")
                shown[key] = b"brokenpkg-1.2.4" in answer.body
    assert {key for key, fresh in shown.items() if not fresh} == {variant}


async def test_ages_are_told_to_those_who_ask_for_them_only(ask: Ask) -> None:
    server, _ = small()
    server.network.edge_age[Variant.JSON_IDENTITY] = timedelta(seconds=90)
    async with server:
        url = f"{server.pages.simple_url}brokenpkg/"
        plain = await ask(url, Accept=JSON)
        asked = await ask(url, Accept=JSON, Fastly_Debug="1")
    assert "Fastly-Debug-Path" not in plain.headers
    assert "Age" not in asked.headers
    assert asked.headers["Fastly-Debug-TTL"].startswith(
        "(H cache-edge0001-LAB 86310.000 300.000 90"
    )


@pytest.mark.parametrize(
    ("gateway", "kept"), [(Gateway.STRIPS_HEADERS, True), (Gateway.STRIPS_SERIALS, False)]
)
async def test_a_gateway_leaves_type_length_and_date(
    gateway: Gateway, kept: bool, ask: Ask
) -> None:
    server, _ = small()
    server.gateway = gateway
    async with server:
        page = await ask(f"{server.pages.simple_url}brokenpkg/", Accept=JSON)
        html = await ask(f"{server.pages.simple_url}brokenpkg/", Accept=HTML)
    assert {name.lower() for name in page.headers} <= {
        *("content-type", "content-length", "date", "server"),
    }
    assert ("_last-serial" in json.loads(page.body)["meta"]) is kept
    assert "SERIAL" not in html.text


async def test_attestations_are_announced_by_the_page_and_served_by_the_index(ask: Ask) -> None:
    server, _ = small()
    server.attested = True
    async with server:
        page = json.loads((await ask(f"{server.pages.simple_url}brokenpkg/", Accept=JSON)).body)
        urls = [f["provenance"] for f in page["files"] if BROKEN in f["filename"]]
        answer = await ask(urls[0])
    assert all(url.startswith(server.pages.url) for url in urls)
    assert json.loads(answer.body)["attestation_bundles"][0]["publisher"]["kind"] == "GitHub"
