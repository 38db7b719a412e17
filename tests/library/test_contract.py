"""Every kind that ships passes the contract that authors test theirs with; broken ones do not."""

from __future__ import annotations

import asyncio
import contextlib
import io
import tarfile
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from auditor.contracts import Assignment, ProbeKind, TouchNote
from auditor.lab.pip_home import fill_pip_cache
from auditor.model import HeldState, Holding, Observation, Outcome, Role, Touch
from auditor.registry import load_kinds
from auditor.testing import ACTS, ContractBroken, Stage, check_kind
from auditor.testing.contract import Place
from auditor.testing.stage import PASSWORD
from tests.probes.laid_caches import (
    lay_artifact,
    lay_uv_page,
    lay_uv_wheel,
    pdm_database,
    store_answer,
)
from tests.probes.laid_images import Layout, layer

pytestmark = pytest.mark.slow

KINDS = load_kinds()


def pip_cache(stage: Stage) -> Mapping[str, object]:
    wheel, _ = stage.story.releases["1.2.3"]
    fill_pip_cache(
        stage.directory / "cache",
        url=f"{stage.url}{wheel.path}",
        body=wheel.content,
        headers={
            "Date": "Mon, 23 Nov 2026 04:00:00 GMT",
            "Cache-Control": "max-age=365000000, immutable",
            "Content-Type": "application/octet-stream",
        },
    )
    return {"path": stage.directory / "cache"}


def uv_cache(stage: Stage) -> Mapping[str, object]:
    lay_uv_wheel(stage.directory / "cache", stage.story.releases["1.2.3"][0])
    lay_uv_page(stage.directory / "cache")
    return {"path": stage.directory / "cache"}


def poetry_cache(stage: Stage) -> Mapping[str, object]:
    lay_artifact(stage.directory / "cache", stage.story.releases["1.2.3"][0])
    return {"path": stage.directory / "cache"}


def pdm_cache(stage: Stage) -> Mapping[str, object]:
    wheel, _ = stage.story.releases["1.2.3"]
    database = pdm_database(stage.directory / "cache")
    store_answer(database, f"https://files.example/{wheel.filename}", wheel.content)
    return {"path": stage.directory / "cache"}


def simple_directory(stage: Stage) -> Mapping[str, object]:
    root = stage.directory / "simple"
    page = root / stage.project / "index.html"
    page.parent.mkdir(parents=True)
    names = [wheel.filename for wheel, _ in stage.story.releases.values()]
    page.write_text("".join(f'<a href="../../{name}">{name}</a>' for name in names))
    return {"path": root}


def tarball(stage: Stage) -> Mapping[str, object]:
    packed = stage.directory / "cache.tar"
    with tarfile.open(packed, "w") as archive:
        for wheel, _ in stage.story.releases.values():
            member = tarfile.TarInfo(f"wheels/{wheel.filename}")
            member.size = len(wheel.content)
            archive.addfile(member, io.BytesIO(wheel.content))
    return {"path": packed}


def saved_image(stage: Stage) -> Mapping[str, object]:
    layout = Layout(stage.directory / "image")
    wheel, _ = stage.story.releases["1.2.3"]
    content = layer({f"srv/{wheel.filename}": wheel.content})
    return {"path": layout.index({"digest": layout.image(content)})}


def site_packages(stage: Stage) -> Mapping[str, object]:
    root = stage.directory / "site-packages"
    info = root / f"{stage.project}-1.2.3.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {stage.project}\nVersion: 1.2.3\n"
    )
    (info / "RECORD").write_text("")
    return {"path": root}


def requirements(stage: Stage) -> Mapping[str, object]:
    path = stage.directory / "requirements.txt"
    path.write_text(f"{stage.project}==1.2.3\n")
    return {"path": path}


def bucket(stage: Stage) -> Mapping[str, object]:
    return {"url": "s3://wheels/simple/", "endpoint_url": stage.url}


# Every other kind is of a server that speaks more than the stage does: it is asked at an address
# of devpi's form, and has tests of its own with the real server.
def elsewhere(stage: Stage) -> Mapping[str, object]:
    return {"url": f"{stage.url}/root/pypi/+simple/"}


PLACES: dict[str, list[Place]] = {
    "pip-cache": [pip_cache],
    "uv-cache": [uv_cache],
    "poetry-cache": [poetry_cache],
    "pdm-cache": [pdm_cache],
    "archive": [tarball],
    "image": [saved_image],
    "environment": [site_packages],
    "lockfile": [requirements],
    "s3": [bucket],
    "http-cache": [lambda stage: {"url": stage.simple_url}],
    "pypi": [lambda stage: {"url": stage.simple_url}],
    "simple": [lambda stage: {"url": stage.simple_url}, simple_directory],
    "wheelhouse": [
        lambda stage: {"path": stage.directory},
        lambda stage: {"url": stage.page_url},
    ],
}


def by_url(stage: Stage) -> Mapping[str, object]:
    return {"url": stage.simple_url}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "place"),
    [
        pytest.param(kind, place, id=f"{name}-{number}")
        for name, kind in KINDS.items()
        for number, place in enumerate(PLACES.get(name, [elsewhere]))
    ],
)
async def test_every_kind_of_ours_keeps_the_contract(
    kind: ProbeKind, place: Place, tmp_path: Path
) -> None:
    # The stage is no S3 server either.
    skip = () if kind.name in PLACES and kind.name != "s3" else ("healthy",)
    await check_kind(kind, place, directory=tmp_path, skip=skip)


# --- each clause can fail


def wheels_in(directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if path.suffix == ".whl"]


async def observe(work: Assignment) -> Observation:
    """Look like a probe that reads a directory."""
    started = work.now()
    files = await asyncio.to_thread(wheels_in, Path(work.location.path or ""))
    return Observation(
        location=work.location.name,
        vantage=work.vantage.id,
        incident=work.incident.id,
        outcome=Outcome.OBSERVED,
        holdings=tuple(
            Holding(filename=ascii(p.name), state=HeldState.HELD, how="it lies there")
            for p in files
        ),
        started_at=started,
        finished_at=work.now(),
    )


async def careful(work: Assignment) -> Observation:
    if not await asyncio.to_thread(Path(work.location.path or "").is_dir):
        blank = await no_answer(work)
        return replace(blank, outcome=Outcome.UNREACHABLE)
    return await observe(work)


async def no_answer(work: Assignment) -> Observation:
    now = work.now()
    return Observation(
        location=work.location.name,
        vantage=work.vantage.id,
        incident=work.incident.id,
        outcome=Outcome.SKIPPED,
        started_at=now,
        finished_at=now,
    )


CAREFUL = ProbeKind(name="made", summary="made for a test", role=Role.STORE, observe=careful)


def in_directory(stage: Stage) -> Mapping[str, object]:
    return {"path": stage.directory}


async def problems_of(kind: ProbeKind, place: Place = in_directory) -> str:
    with pytest.raises(ContractBroken) as caught:
        await check_kind(kind, place)
    assert caught.value.problems
    return "\n".join(caught.value.problems)


async def test_a_probe_of_a_directory_that_takes_care_passes() -> None:
    await check_kind(CAREFUL, in_directory)


async def test_what_it_raises_on_a_missing_directory_is_told() -> None:
    problems = await problems_of(replace(CAREFUL, observe=observe))
    assert "dead: raised FileNotFoundError, which is no ProbeError" in problems


async def test_a_secret_in_the_observation_is_found() -> None:
    async def leak(work: Assignment) -> Observation:
        return replace(await careful(work), notes=(f"asked with {work.credentials.password}",))

    problems = await problems_of(replace(CAREFUL, observe=leak))
    assert "healthy: a secret stands in the observation" in problems
    assert PASSWORD not in problems


async def test_a_request_that_is_not_in_the_ledger_is_found() -> None:
    async def behind_our_back(work: Assignment) -> Observation:
        def ask() -> None:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{work.location.url}", timeout=0.3).close()

        await asyncio.to_thread(ask)
        return replace(await no_answer(work), outcome=Outcome.OBSERVED)

    kind = replace(CAREFUL, observe=behind_our_back, role=Role.INDEX)
    problems = await problems_of(kind, by_url)
    assert "healthy: GET /simple/ reached the server and is not in the ledger" in problems
    assert "dead: nothing is there, and yet it is 'observed'" in problems


async def test_a_touch_that_is_not_declared_is_found() -> None:
    simple = replace(KINDS["simple"], touches=())
    problems = await problems_of(simple, by_url)
    assert "a request had the touch 'refreshes-index', which `touches` does not declare" in problems


async def test_a_probe_that_swallows_its_cancellation_is_found() -> None:
    async def stubborn(work: Assignment) -> Observation:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(30)
        return await careful(work)

    assert "cancelled: swallows its cancellation" in await problems_of(
        replace(CAREFUL, observe=stubborn)
    )


async def test_a_task_left_running_is_found() -> None:
    left: list[asyncio.Task[None]] = []

    async def untidy(work: Assignment) -> Observation:
        left.append(asyncio.create_task(asyncio.sleep(60)))
        return await careful(work)

    try:
        assert "healthy: tasks are still running afterwards" in await problems_of(
            replace(CAREFUL, observe=untidy)
        )
    finally:
        for task in left:
            task.cancel()


async def test_malformed_holdings_and_evidence_are_found() -> None:
    async def sloppy(work: Assignment) -> Observation:
        holding = Holding(
            filename="", sha256="xyz", state=HeldState.HELD, how=" ", evidence=("e9",)
        )
        return replace(await careful(work), holdings=(holding,))

    problems = await problems_of(replace(CAREFUL, observe=sloppy))
    for expected in (
        "a holding has no file name",
        "does not say how that is known",
        "has a sha256 that is none",
        "evidence is named that is not there: ['e9']",
    ):
        assert f"healthy: {expected}" in problems or expected in problems


async def test_what_a_kind_declares_is_checked() -> None:
    note = TouchNote(request="PURGE", touch=Touch.MUTATES, proof="")
    problems = await problems_of(replace(CAREFUL, summary=" ", touches=(note,), revision=2))
    for expected in ("revision is 2", "summary is empty", "`mutates`", "no proof"):
        assert expected in problems


async def test_all_problems_are_told_at_once_and_each_names_its_act() -> None:
    async def nothing(work: Assignment) -> Observation:
        return None  # type: ignore[return-value]  # as an author may by mistake

    problems = await problems_of(replace(CAREFUL, observe=nothing, summary=""))
    assert "declared: " in problems
    assert all(line.split(":")[0] in {"declared", *ACTS} for line in problems.splitlines() if line)
