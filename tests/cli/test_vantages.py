"""Two vantages look, somebody else judges: what they saw differently, and when, is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web

from auditor.lab.story import incident_toml
from auditor.lab.world import World
from auditor.registry import load_formats
from tests.cli.conftest import Run, world_in_a_thread

PLACES = ("source", "fresh-mirror", "clean-mirror")
AHEAD = timedelta(hours=2)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world whose servers these tests may change."""
    with world_in_a_thread(tmp_path_factory.mktemp("city")) as started:
        yield started


@pytest.fixture
def probe(city: World, tmp_path: Path, run: Run) -> Callable[..., Path]:
    """Look from a vantage; its mirror may be another machine than elsewhere."""

    def look(vantage: str, mirror: str = "fresh-mirror") -> Path:
        tables = [incident_toml()]
        for placement in city.placements:
            if placement.name in PLACES:
                elsewhere = city.servers[mirror].simple_url
                table = placement.toml()
                if placement.name == "fresh-mirror":
                    table = table.replace(placement.url or "", elsewhere)
                tables.append(table)
        (tmp_path / f"{vantage}.toml").write_text("\n".join(tables))
        file = tmp_path / f"{vantage}.jsonl"
        words = ("--vantage", vantage, "-o", file)
        assert run("probe", "--config", tmp_path / f"{vantage}.toml", *words).code == 0
        return file

    return look


def test_what_two_vantages_see_differently_is_told_in_every_format(
    probe: Callable[..., Path], run: Run, tmp_path: Path
) -> None:
    files = probe("paris"), probe("tokyo", mirror="stuck-mirror")
    formats = [name for name in load_formats() if name != "nagios"]
    reports = {name: tmp_path / f"report.{name}" for name in formats}
    asked = [word for name, file in reports.items() for word in ("--report", f"{name}={file}")]
    done = run("judge", *files, *asked)

    assert done.code == 1  # tokyo still gets the broken release
    for name, file in reports.items():
        text = file.read_text(encoding="utf-8")
        assert "split-vantage" in text or "seen differently from" in text, name
        assert "tokyo" in text, name
    assert "fresh-mirror has more than one address" in done.out


def test_made_fit_for_the_public_a_finding_names_no_place_and_no_vantage(
    city: World, probe: Callable[..., Path], run: Run
) -> None:
    files = probe("paris"), probe("tokyo", mirror="stuck-mirror")
    done = run("judge", *files, "--redact", "--format", "json")

    assert "split-vantage" in done.out
    for private in ("paris", "tokyo", "fresh-mirror", city.servers["stuck-mirror"].url):
        assert private not in done.out


def test_alike_from_everywhere_there_is_one_row_each_and_nothing_to_tell(
    probe: Callable[..., Path], run: Run
) -> None:
    files = probe("paris"), probe("tokyo")
    done = run("judge", *files, files[0], "--format", "csv")
    rows = [line.split(",")[:2] for line in done.out.splitlines()[1:]]

    assert done.code == 0
    assert len(rows) == 2 * len(PLACES)
    assert "split-vantage" not in done.out


def test_a_clock_that_is_off_is_stated(city: World, probe: Callable[..., Path], run: Run) -> None:
    async def earlier(request: web.Request) -> web.StreamResponse:
        answer = await request.match_info.handler(request)
        answer.headers["Date"] = format_datetime(datetime.now(UTC) - AHEAD, usegmt=True)
        return answer

    paris = probe("paris")
    servers = [city.servers[name] for name in PLACES]
    for server in servers:
        server.intercept = earlier
    try:
        tokyo = probe("tokyo")
    finally:
        for server in servers:
            server.intercept = None
    done = run("judge", paris, tokyo, "--format", "markdown")

    assert done.code == 0
    assert "that of tokyo is 7200 s ahead" in done.out or "7199 s ahead" in done.out


def test_a_damaged_file_is_refused_with_its_line(probe: Callable[..., Path], run: Run) -> None:
    paris, tokyo = probe("paris"), probe("tokyo")
    lines = tokyo.read_text().splitlines()
    tokyo.write_text("\n".join([*lines[:2], lines[2][:200], *lines[3:]]))
    done = run("judge", paris, tokyo)

    assert done.code == 2
    assert f"{tokyo}:3:" in done.err


def test_files_that_ask_something_else_are_not_mixed(probe: Callable[..., Path], run: Run) -> None:
    paris, tokyo = probe("paris"), probe("tokyo")
    tokyo.write_text(tokyo.read_text().replace('"fixed":["1.2.4"]', '"fixed":["1.2.5"]'))
    done = run("judge", paris, tokyo)

    assert done.code == 2
    assert "asks something else about brokenpkg-1.2.3" in done.err
