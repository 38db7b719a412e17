"""The incident on the caches of real clients: pip, uv, Poetry and PDM, each as its users live it.

After every step the audit is held against the bytes on the disk, and against what clients choose
with a copy of the cache, now and once its pages have expired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from auditor.lab.drive.client_story import play_client_story
from auditor.lab.drive.clients import PdmClient, PipClient, PoetryClient, RealClient, UvClient
from auditor.lab.drive.steps import Step
from auditor.lab.story import BROKEN, FIXED, GOOD
from auditor.model import HeldState, Status

from .conftest import INSTALLED, PipOf

pytestmark = [pytest.mark.real, pytest.mark.slow]

RealProgram = Callable[[str], Path]

HELD, NOT_HELD = HeldState.HELD, HeldState.NOT_HELD
# What is said of every client's cache, and the version that it then chooses.
TOLD: Mapping[Step, tuple[Status, HeldState, str | None]] = {
    Step.WARM: (Status.CLEAN, NOT_HELD, GOOD),
    Step.BROKEN: (Status.EXPOSED, HELD, BROKEN),
    Step.FIX_PUBLISHED: (Status.EXPOSED, HELD, BROKEN),
    Step.REFRESHED: (Status.LATENT, HELD, FIXED),
    Step.YANKED: (Status.LATENT, HELD, FIXED),
    Step.DELETED: (Status.LATENT, HELD, FIXED),
    # The page that is kept now lists other bytes under the broken file's name.
    Step.BYTES_REPLACED: (Status.TAMPERED, HELD, FIXED),
    Step.UPSTREAM_DOWN: (Status.TAMPERED, HELD, FIXED),
}
# pip before 26.2 asks the index each time, whatever it keeps.
DISTRUSTING = {
    **TOLD,
    Step.FIX_PUBLISHED: (Status.EXPOSED, HELD, FIXED),
    Step.UPSTREAM_DOWN: (Status.TAMPERED, HELD, None),
}
# The layout of pip before 23.3 is read by no pip that trusts its pages.
OLD_LAYOUT = {
    **DISTRUSTING,
    Step.BROKEN: (Status.LATENT, HELD, BROKEN),
    Step.FIX_PUBLISHED: (Status.LATENT, HELD, FIXED),
}


async def told_by(
    client: RealClient, directory: Path, *others: RealClient
) -> Mapping[Step, tuple[Status, HeldState, str | None]]:
    """Play all steps; return what was said, and what the client itself then chose."""
    played = await play_client_story(client, directory, others=others)
    assert played.disagreements == ()
    assert played.harm == ()
    records = played.records
    # What was said to last until a page expires was over by then.
    later = records[Step.FIX_PUBLISHED].got_later
    assert later is None or later.version == FIXED
    told = {step: record.verdict for step, record in records.items()}
    return {s: (v.status, v.broken.held, records[s].got[0].version) for s, v in told.items()}


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("uv", UvClient),
        pytest.param("poetry", PoetryClient, marks=pytest.mark.heavy),
        pytest.param("pdm", PdmClient, marks=pytest.mark.heavy),
    ],
    ids=["uv", "poetry", "pdm"],
)
async def test_every_statement_on_its_cache_agrees_with_the_client_and_the_disk(
    name: str, make: Callable[..., RealClient], real_program: RealProgram, tmp_path: Path
) -> None:
    assert await told_by(make(command=real_program(name)), tmp_path) == TOLD


@pytest.mark.real_program("pip")
async def test_every_statement_on_pips_cache_agrees_with_pip_and_the_disk(tmp_path: Path) -> None:
    assert await told_by(PipClient(), tmp_path) == TOLD


@pytest.mark.heavy
@pytest.mark.real_program("pip")
@pytest.mark.parametrize(
    ("version", "expected"), [("26.1", DISTRUSTING), ("23.2.1", OLD_LAYOUT)], ids=["26.1", "23.2.1"]
)
async def test_an_older_pip_asks_the_index_and_a_newer_one_is_told_of_what_both_share(
    version: str,
    expected: Mapping[Step, tuple[Status, HeldState, str | None]],
    pip_of: PipOf,
    tmp_path: Path,
) -> None:
    """A cache does not say which pip uses it: who upgrades trusts the pages that are there."""
    older = PipClient(home=pip_of(version).home, trusts_pages=False)
    assert version != INSTALLED
    assert await told_by(older, tmp_path, PipClient()) == expected
