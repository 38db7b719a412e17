"""Is it my upload, PyPI's delivery network, or your mirror? Played, probed and judged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor.config import parse_document, resolve
from auditor.engine import Audit
from auditor.lab.delivery import Gateway, Variant
from auditor.lab.files import FileSite
from auditor.lab.mirrors import mirror_of
from auditor.lab.pypi import SmallPypi
from auditor.lab.server import LoopbackServer
from auditor.lab.site import IndexSite
from auditor.lab.story import Story, incident_toml, play
from auditor.model import FixChosen, Location, Run, Status, Verdict, Whose
from auditor.registry import load_kinds
from auditor.verdict import judge

PAGES = [v for v in Variant if v is not Variant.LEGACY]

CONFIG = (
    incident_toml()
    + """
[[locations]]
name = "source"
kind = "pypi"
url = "{source}"
[[locations]]
name = "mirror"
kind = "simple"
url = "{mirror}"
upstream = "source"
expected_lag = "1h"
"""
)


@dataclass
class Fleet:
    """PyPI in small and one mirror of it."""

    pypi: SmallPypi
    mirror: LoopbackServer
    story: Story
    directory: Path

    async def audit(self) -> Run:
        text = CONFIG.format(source=self.pypi.pages.simple_url, mirror=self.mirror.simple_url)
        kinds = load_kinds()
        document = parse_document(text, name="fleet", directory=self.directory)
        plan = resolve(document, kinds, environ={}).plan
        plan = replace(plan, locations=tuple(map(as_builtin, plan.locations)))
        (run,) = judge(plan, await Audit(plan, {}, kinds).run())
        return run


def as_builtin(location: Location) -> Location:
    at_pypi = location.kind == "pypi"
    return replace(location, settings={"pip_builtin": True}) if at_pypi else location


@asynccontextmanager
async def fleet(
    directory: Path, shown: Callable[[Story], object] = lambda story: story.fixed
) -> AsyncIterator[Fleet]:
    now = datetime.now(UTC)
    pypi = SmallPypi(now=now)
    story = play(pypi.index, now)
    copy = mirror_of(shown(story))
    mirror = LoopbackServer("mirror", IndexSite(copy), FileSite(copy.files))
    async with pypi, mirror:
        yield Fleet(pypi, mirror, story, directory)


def source(run: Run) -> Verdict:
    return next(v for v in run.verdicts if v.is_source)


def observed(run: Run, code: str) -> str:
    return next(r.observed for r in source(run).reasons if r.code == code)


async def test_where_all_is_well_nobody_is_named(tmp_path: Path) -> None:
    async with fleet(tmp_path) as played:
        run = await played.audit()
    assert (run.summary.whose, run.summary.exit_code) == (Whose.NONE, 0)


async def test_a_mirror_behind_a_good_source_is_the_mirror(tmp_path: Path) -> None:
    async with fleet(tmp_path, lambda story: story.before_fix) as played:
        run = await played.audit()
    assert run.summary.whose is Whose.MIRROR


async def test_a_fix_that_was_never_published_is_the_upload(tmp_path: Path) -> None:
    async with fleet(tmp_path, lambda story: story.before_fix) as played:
        played.pypi.index.adopt(played.story.before_fix)
        run = await played.audit()
    assert run.summary.whose is Whose.UPLOAD


@pytest.mark.parametrize("variant", PAGES)
async def test_one_page_that_missed_its_purge_is_the_delivery_network(
    variant: Variant, tmp_path: Path
) -> None:
    async with fleet(tmp_path, lambda story: story.before_fix) as played:
        played.pypi.network.stale[variant] = played.story.before_fix
        run = await played.audit()
    assert run.summary.whose is Whose.CDN
    assert "not in simple-" in observed(run, "surfaces-disagree")
    assert "source-stale" in {r.code for r in source(run).reasons}


async def test_a_lost_purge_of_every_page_is_not_made_green_by_legacy_json(tmp_path: Path) -> None:
    """Warehouse issue 11512: legacy JSON has it, and pip did not see it for an hour."""
    async with fleet(tmp_path, lambda story: story.before_fix) as played:
        network = played.pypi.network
        network.stale = dict.fromkeys(PAGES, played.story.before_fix)
        network.edge_age = dict.fromkeys(PAGES, timedelta(hours=5))
        run = await played.audit()
    row = source(run)
    assert (row.status, row.fix.chosen) == (Status.BEHIND, FixChosen.NONE)
    assert run.summary.whose is Whose.CDN
    assert "the fix is in legacy-project and not in simple-json (gzip)" in observed(
        run, "surfaces-disagree"
    )


@pytest.mark.parametrize("gateway", [Gateway.STRIPS_HEADERS, Gateway.STRIPS_SERIALS])
async def test_a_stripping_gateway_is_said_and_the_files_are_judged_all_the_same(
    gateway: Gateway, tmp_path: Path
) -> None:
    async with fleet(tmp_path) as played:
        played.pypi.gateway = gateway
        run = await played.audit()
        assert played.pypi.files.log == []
    row = source(run)
    codes = {r.code for r in row.reasons}
    assert "headers-stripped" in codes
    assert not codes & {"surfaces-disagree", "source-stale"}
    assert row.status is Status.ROLLED_FORWARD
    assert run.summary.whose is Whose.NONE
